#include "agent/mesh/prober.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/unit/agent/mesh/mesh_bench.h"

namespace agent::mesh {
namespace {

using namespace std::chrono_literals;
using test::Hand;
using test::text_of;

class ProberTest : public test::MeshTest {
 protected:
  void begin(const std::vector<EchoTarget>& targets) {
    prober_ = std::make_unique<EchoProber>(
        socket_at("127.0.0.1"), targets,
        EchoProber::Surroundings{timers_, [this] { return pace_; }, [this] { return urgent_; },
                                 [this](const std::vector<series::Sample>& news) {
                                   samples_.insert(samples_.end(), news.begin(), news.end());
                                 },
                                 [this] { return nonce_ = nonce_ * 6364136223846793005 + 1; }});
    prober_->start(io_.get_executor(), gate_);
    timers_.run_ready();
  }
  ~ProberTest() override {
    if (prober_) prober_->stop();
    timers_.run_for(10s);
  }

  EchoTarget link() const { return {"amber", "p1", "b1", "127.0.0.1", link_.port()}; }
  const EchoCounts& counts() const { return prober_->targets().at(0).ledger.counts(); }
  EchoDatagram question() {
    const auto parsed = parse_echo(link_.receive(&asker_));
    EXPECT_TRUE(parsed);
    return parsed.value_or(EchoDatagram{});
  }
  void answer(const EchoDatagram& question, Hand& from) {
    EchoDatagram echo = question;
    echo.kind = EchoDatagram::Kind::kAnswer;
    from.send(text_of(echo), "127.0.0.1", ntohs(asker_.sin_port));
  }
  // The next round reads what has come.
  void hear() { timers_.run_for(pace_); }

  base::Duration pace_ = 200ms;
  bool urgent_ = false;
  uint64_t nonce_ = 0;
  Hand link_;
  sockaddr_in asker_{};
  std::vector<series::Sample> samples_;
  std::unique_ptr<EchoProber> prober_;
};

TEST_F(ProberTest, TellsHowLongAnEchoTook) {
  begin({link()});
  answer(question(), link_);
  hear();
  ASSERT_EQ(samples_.size(), 1U);
  EXPECT_EQ(series::to_string(samples_[0].key), "echo_seconds{cluster=amber,proxy=p1,backend=b1}");
  EXPECT_EQ(samples_[0].value, 0.2) << "on virtual time, which the kernel's stamps do not fit";
  EXPECT_EQ(counts().answered, 1U);
}

TEST_F(ProberTest, TellsALossOnlyOfWhomHasAnsweredBefore) {
  begin({link()});
  timers_.run_for(1500ms);
  EXPECT_GT(counts().lost, 0U);
  EXPECT_TRUE(samples_.empty()) << "it may know no echoes at all";
  EchoDatagram last;
  while (link_.readable(0)) last = question();
  answer(last, link_);
  hear();
  ASSERT_FALSE(samples_.empty());
  EXPECT_EQ(samples_[0].key.name, "echo_seconds");
  timers_.run_for(2s);
  ASSERT_GT(samples_.size(), 1U);
  EXPECT_EQ(samples_.back().key.name, "echo_lost");
  EXPECT_EQ(samples_.back().value, 1);
}

TEST_F(ProberTest, BelievesNoStrangerAndNoGuess) {
  begin({link()});
  const EchoDatagram asked = question();
  Hand stranger("127.0.9.9");
  answer(asked, stranger);
  hear();
  EXPECT_EQ(prober_->counts().unknown_peer, 1U);
  timers_.run_for(20ms);  // its pause after a refusal
  EchoDatagram guess = asked;
  guess.nonce += 1;
  answer(guess, link_);
  hear();
  EXPECT_EQ(prober_->counts().unexpected, 1U);
  timers_.run_for(20ms);
  link_.send("nonsense", "127.0.0.1", ntohs(asker_.sin_port));
  hear();
  EXPECT_EQ(prober_->counts().malformed, 1U);
  EXPECT_EQ(counts().answered, 0U);
  EXPECT_TRUE(samples_.empty());
}

TEST_F(ProberTest, AsksAtItsPace) {
  begin({link()});
  timers_.run_for(1900ms);
  EXPECT_EQ(counts().asked, 10U);
  pace_ = 1s;
  timers_.run_for(4s);
  EXPECT_LE(counts().asked, 15U) << "slower when told so";
}

TEST_F(ProberTest, AsksFastAndAtRandomTimesWhileItIsUrgent) {
  nonce_ = 0x9e3779b97f4a7c15;
  pace_ = 2s;
  urgent_ = true;
  begin({link()});
  std::set<base::Duration> gaps;
  base::Instant before = question().sent;
  for (int i = 0; i < 100; ++i) {
    while (!link_.readable(0)) timers_.run_for(1ms);
    const base::Instant sent = question().sent;
    EXPECT_GE(sent - before, 50ms);
    EXPECT_LE(sent - before, 151ms);
    gaps.insert((sent - before) / 1ms * 1ms);
    before = sent;
  }
  EXPECT_GT(gaps.size(), 20U);
  urgent_ = false;
  timers_.run_for(2s);
  const uint64_t asked = counts().asked;
  timers_.run_for(10s);
  EXPECT_EQ(counts().asked, asked + 5) << "at its pace again";
}

TEST_F(ProberTest, NeverAsksMoreThanItsBudgetAltogether) {
  std::vector<EchoTarget> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back({"amber", "p1", "b", "127.0.8." + std::to_string(i + 1), link_.port()});
  }
  begin(many);
  timers_.run_for(9900ms);
  uint64_t asked = 0;
  for (const EchoProber::Asked& each : prober_->targets()) asked += each.ledger.counts().asked;
  EXPECT_LE(asked, 2000U) << "200 a second";
  EXPECT_GE(asked, 1900U);
}

TEST_F(ProberTest, WhatLiesUnreadUntilTheNextRoundTakesNoLonger) {
  base::SystemClock clock;
  base::AsioTimers timers(io_.get_executor(), clock);
  prober_ = std::make_unique<EchoProber>(
      socket_at("127.0.0.1"), std::vector<EchoTarget>{link()},
      EchoProber::Surroundings{timers, [] { return base::Duration(300ms); }, [] { return false; },
                               [this](const auto& news) { samples_ = news; }, [] { return 1; }});
  prober_->start(io_.get_executor(), gate_);
  const base::Instant before = clock.now();
  io_.run_one_for(std::chrono::seconds(10));
  answer(question(), link_);
  const base::Instant answered = clock.now();
  while (samples_.empty() && io_.run_one_for(std::chrono::seconds(10)) > 0) {
  }
  ASSERT_EQ(samples_.size(), 1U);
  EXPECT_GE(clock.now() - before, 150ms) << "the next beat of 300 ms";
  EXPECT_LE(samples_[0].value, base::to_seconds(answered - before) + 0.02);
  prober_->stop();
  timers.stop();
  io_.restart();
  io_.run_for(std::chrono::milliseconds(100));
}

TEST_F(ProberTest, PeersAreCountedAndNoSeries) {
  begin({{"", "", "", "127.0.0.1", link_.port()}});
  answer(question(), link_);
  hear();
  EXPECT_EQ(counts().answered, 1U);
  EXPECT_TRUE(samples_.empty());
}

TEST(EchoSocket, KnowsHowLongADatagramLayThere) {
  boost::asio::io_context io;
  auto socket = EchoSocket::open(io.get_executor(), "127.0.0.1", 0);
  ASSERT_TRUE(socket.ok());
  const base::SystemClock clock;
  Hand hand;
  const base::WallTime before = clock.wall();
  hand.send("x", "127.0.0.1", socket->port());
  const base::WallTime sent = clock.wall();
  // As if it were read three seconds later.
  const auto arrivals = socket->receive(sent + 3s);
  ASSERT_EQ(arrivals.size(), 1U);
  EXPECT_GE(arrivals[0].waited, 3s);
  EXPECT_LE(arrivals[0].waited, 3s + (sent - before) + 50ms);
}

TEST(EchoSocket, WakesNobodyUnlessSomebodyWaits) {
  boost::asio::io_context io;
  const auto work = boost::asio::make_work_guard(io);
  // Asio begins to watch with its own descriptors.
  const boost::asio::ip::udp::socket first(io, boost::asio::ip::udp::v4());
  auto socket = EchoSocket::open(io.get_executor(), "127.0.0.1", 0);
  ASSERT_TRUE(socket.ok());
  Hand hand;
  hand.send("x", "127.0.0.1", socket->port());
  const auto descriptors = [] {
    size_t watched = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) watched += line.starts_with("tfd:");
    }
    return watched;
  };
  const size_t before = descriptors();
  EXPECT_EQ(socket->receive(base::SystemClock().wall()).size(), 1U);
  bool readable = false;
  boost::asio::co_spawn(io, socket->wait_readable(),
                        [&](const std::exception_ptr&, bool is) { readable = is; });
  io.poll();
  EXPECT_EQ(descriptors(), before + 1);
  hand.send("y", "127.0.0.1", socket->port());
  while (!readable && io.run_one_for(std::chrono::seconds(10)) > 0) {
  }
  EXPECT_TRUE(readable);
  socket->close();
  EXPECT_EQ(descriptors(), before);
}

TEST(EchoSocket, SaysWhatIsWrongWithItsAddress) {
  boost::asio::io_context io;
  EXPECT_EQ(EchoSocket::open(io.get_executor(), "::1", 0).code(), base::ErrorCode::kInvalid);
  auto first = EchoSocket::open(io.get_executor(), "127.0.0.1", 0);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(EchoSocket::open(io.get_executor(), "127.0.0.1", first->port()).code(),
            base::ErrorCode::kExists);
}

}  // namespace
}  // namespace agent::mesh
