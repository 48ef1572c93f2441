// What speaks memcache text over real sockets, on virtual time.
#include "agent/action/text_peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "agent/action/backend_client.h"
#include "base/core/check.h"
#include "base/net/fd.h"
#include "tests/support/manual_time.h"

namespace agent::action {
namespace {

using base::net::UniqueFd;

constexpr const char* kAddress = "127.87.5.1";
constexpr const char* kOtherAddress = "127.87.5.2";

// Port 0: any that is free; which one it is.
UniqueFd listen_at(const char* address, uint16_t& port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  CHECK(inet_pton(AF_INET, address, &at.sin_addr) == 1);
  auto* name = reinterpret_cast<sockaddr*>(&at);
  UniqueFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};  // of accept(): a test that fails does not hang
  CHECK(::setsockopt(listening.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  CHECK(::bind(listening.get(), name, sizeof at) == 0);
  CHECK(::listen(listening.get(), 8) == 0);
  socklen_t size = sizeof at;
  CHECK(::getsockname(listening.get(), name, &size) == 0);
  port = ntohs(at.sin_port);
  return listening;
}

// A listener on a port of its own, and the io_context of those who connect to it.
struct Wire {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  uint16_t port = 0;
  UniqueFd listening = listen_at(kAddress, port);

  // Takes the next connection and answers before, or after, it has asked.
  UniqueFd answer(std::string_view text) const { return answer_at(listening, text); }
  static UniqueFd answer_at(const UniqueFd& listening, std::string_view text) {
    UniqueFd taken(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(taken.get() >= 0);
    say(taken, text);
    return taken;
  }
  static void say(const UniqueFd& to, std::string_view text) {
    CHECK(::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
  }

  base::Instant soon() const { return clock.now() + std::chrono::seconds(1); }

  // Begins, and goes as far as it goes without an answer.
  template <class T>
  void begin(boost::asio::awaitable<T> work, std::optional<T>& result) {
    boost::asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result = std::move(value);
    });
    timers.run_ready();
  }
  template <class T>
  T end(std::optional<T>& result) {
    for (int i = 0; i < 1000 && !result; ++i) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(1));
      timers.run_for(std::chrono::microseconds(100));
    }
    CHECK(result.has_value());
    return std::move(*result);
  }
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    begin(std::move(work), result);
    return end(result);
  }
};

TEST(TextPeer, KeepsTheConnectionAfterOneWholeAnswer) {
  Wire wire;
  TextPeer peer(wire.io.get_executor(), "amber-backend-1", kAddress, wire.port, wire.timers);
  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  const UniqueFd other = wire.answer("EN\r\n");
  EXPECT_EQ(wire.run(peer.exchange("mg a\r\n", one_line, wire.soon())).value(), "EN\r\n");
  EXPECT_TRUE(peer.connected());
  Wire::say(other, "HD\r\n");
  EXPECT_EQ(wire.run(peer.exchange("mn\r\n", one_line, wire.soon())).value(), "HD\r\n");
}

TEST(TextPeer, RefusesAnAnswerWithMoreBehindItAndTheNextExchangeToo) {
  Wire wire;
  TextPeer peer(wire.io.get_executor(), "amber-backend-1", kAddress, wire.port, wire.timers);
  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  const UniqueFd first = wire.answer("EN\r\nEN\r\n");
  const auto answer = wire.run(peer.exchange("mg a\r\n", one_line, wire.soon()));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.code(), base::ErrorCode::kInvalid);
  EXPECT_NE(answer.error().context.find("more than was asked"), std::string::npos);
  EXPECT_FALSE(peer.connected());
  const auto next = wire.run(peer.exchange("mg a\r\n", one_line, wire.soon()));
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.code(), base::ErrorCode::kUnavailable);

  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  const UniqueFd second = wire.answer("EN\r\n");
  EXPECT_TRUE(wire.run(peer.exchange("mg a\r\n", one_line, wire.soon())).ok());
}

TEST(TextPeer, LooksForAnAnswerAtBeatsAndMoreSeldomTheLongerItTakes) {
  Wire wire;
  TextPeer peer(wire.io.get_executor(), "amber-backend-1", kAddress, wire.port, wire.timers);
  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  const UniqueFd other = wire.answer("E");
  std::optional<base::Result<std::string>> answer;
  wire.begin(peer.exchange("mg a\r\n", one_line, wire.soon(), Look::kAtBeats), answer);
  wire.timers.run_for(std::chrono::milliseconds(4));
  EXPECT_FALSE(answer.has_value()) << "half of it";
  Wire::say(other, "N\r\n");
  wire.timers.run_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->value(), "EN\r\n");
  EXPECT_TRUE(peer.connected());

  answer.reset();
  wire.begin(peer.exchange("mg a\r\n", one_line, wire.soon(), Look::kAtBeats), answer);
  wire.timers.run_for(std::chrono::milliseconds(500));
  Wire::say(other, "EN\r\n");
  wire.timers.run_for(std::chrono::milliseconds(96));
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok());
  // It can be asked promptly in between.
  Wire::say(other, "HD\r\n");
  EXPECT_EQ(wire.run(peer.exchange("mn\r\n", one_line, wire.soon())).value(), "HD\r\n");
}

TEST(TextPeer, EndsAtItsDeadlineOrWithThePeerWhenItLooksAtBeats) {
  Wire wire;
  TextPeer peer(wire.io.get_executor(), "amber-backend-1", kAddress, wire.port, wire.timers);
  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  UniqueFd other = wire.answer("");
  std::optional<base::Result<std::string>> answer;
  const base::Instant deadline = wire.clock.now() + std::chrono::milliseconds(300);
  wire.begin(peer.exchange("mg a\r\n", one_line, deadline, Look::kAtBeats), answer);
  wire.timers.run_for(std::chrono::milliseconds(299));
  EXPECT_FALSE(answer.has_value());
  wire.timers.run_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->code(), base::ErrorCode::kTimeout);
  EXPECT_FALSE(peer.connected()) << "what comes late must not be taken for the next answer";

  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  other = wire.answer("");
  other.reset();
  const auto ended = wire.run(peer.exchange("mg a\r\n", one_line, wire.soon(), Look::kAtBeats));
  EXPECT_EQ(ended.code(), base::ErrorCode::kUnavailable);
  EXPECT_FALSE(peer.connected());
}

TEST(TextPeer, TakesAnAnswerThatIsThereAlsoWhenItsAskerIsLate) {
  Wire wire;
  TextPeer peer(wire.io.get_executor(), "amber-backend-1", kAddress, wire.port, wire.timers);
  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  const UniqueFd other = wire.answer("");
  const base::Instant deadline = wire.soon();
  peer.send_now("mg a\r\n");
  Wire::say(other, "EN\r\n");
  wire.clock.advance(std::chrono::seconds(5));
  EXPECT_EQ(wire.run(peer.finish(one_line, deadline)).value(), "EN\r\n");
  EXPECT_TRUE(peer.connected());
  peer.send_now("mg a\r\n");
  EXPECT_EQ(wire.run(peer.finish(one_line, deadline)).code(), base::ErrorCode::kTimeout);
}

// The wall clock, by which the kernel stamps, was set forward by five seconds.
class SteppedTimers final : public base::Timers {
 public:
  explicit SteppedTimers(base::Timers& timers) : timers_(timers), clock_(timers.clock()) {}
  boost::asio::awaitable<void> wait_until(base::Instant when) override {
    co_await timers_.wait_until(when);
  }
  std::unique_ptr<base::Alarm> alarm(base::Instant when, std::function<void()> ring) override {
    return timers_.alarm(when, std::move(ring));
  }
  base::Clock& clock() override { return clock_; }

 private:
  struct Stepped final : base::Clock {
    explicit Stepped(base::Clock& clock) : steady(clock) {}
    base::Instant now() const override { return steady.now(); }
    base::WallTime wall() const override { return base::SystemClock().wall() + kStep; }
    base::Clock& steady;
  };
  static constexpr base::Duration kStep = std::chrono::seconds(5);
  base::Timers& timers_;
  Stepped clock_;
};

TEST(TextPeer, NeverTookLessThanNoTime) {
  Wire wire;
  SteppedTimers stepped(wire.timers);
  TextPeer peer(wire.io.get_executor(), "amber-backend-1", kAddress, wire.port, stepped);
  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  const UniqueFd other = wire.answer("");
  const auto took = [&](base::Duration ago) { return peer.took_since(wire.clock.now() - ago); };
  // The kernel begins to stamp a little after it was told to.
  bool is_stamped = false;
  for (int i = 0; i < 10'000 && !is_stamped; ++i) {
    Wire::say(other, "EN\r\n");
    ASSERT_TRUE(wire.run(peer.exchange("mg a\r\n", one_line, wire.soon(), Look::kAtBeats)).ok());
    is_stamped = took(std::chrono::seconds(10)) < std::chrono::seconds(6);
  }
  ASSERT_TRUE(is_stamped);
  EXPECT_EQ(took(std::chrono::seconds(1)), base::Duration(0));
}

TEST(TextPeer, SendsARequestThatTheSocketDoesNotTakeAtOnce) {
  Wire wire;
  TextPeer peer(wire.io.get_executor(), "amber-backend-1", kAddress, wire.port, wire.timers);
  ASSERT_TRUE(wire.run(peer.connect(wire.soon())).ok());
  const UniqueFd other = wire.answer("");
  constexpr size_t kSize = 32 << 20;
  std::optional<base::Result<std::string>> answer;
  const base::Instant deadline = wire.clock.now() + std::chrono::hours(1);
  wire.begin(peer.exchange(std::string(kSize, 'x'), one_line, deadline, Look::kAtBeats), answer);
  size_t got = 0;
  std::string chunk(1 << 20, 0);
  for (int i = 0; i < 100'000 && got < kSize; ++i) {
    const ssize_t n = ::recv(other.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n > 0) got += static_cast<size_t>(n);
    if (n <= 0) wire.timers.run_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(got, kSize);
  Wire::say(other, "OK\r\n");
  EXPECT_EQ(wire.end(answer).value(), "OK\r\n");
}

// Backends 1, 2 … at these addresses.
coord::RegionSpec backends_at(const std::vector<std::string>& addresses, uint16_t port) {
  coord::RegionSpec spec;
  coord::ClusterSpec cluster;
  cluster.name = "amber";
  cluster.ports.backend = port;
  for (const std::string& address : addresses) {
    coord::BackendSpec backend;
    backend.id = "amber-backend-" + std::to_string(cluster.backends.size() + 1);
    backend.address = address;
    cluster.backends.push_back(backend);
  }
  spec.clusters.push_back(cluster);
  return spec;
}
coord::RegionSpec one_backend(uint16_t port) {
  return backends_at({kAddress}, port);
}

// What a probe answers, and what it found of the fence record.
struct Probed {
  bool ok = false;
  std::optional<coord::ReadFence> read;
};
Probed probe_answered(const std::string& answer) {
  std::optional<base::Result<base::Duration>> probed;
  Wire wire;
  const coord::Region region(one_backend(wire.port));
  BackendClient client(wire.io.get_executor(), region, wire.timers);
  wire.begin(client.probe("amber-backend-1", std::chrono::seconds(1)), probed);
  const UniqueFd other = wire.answer(answer);
  const bool ok = wire.end(probed).ok();
  return {ok, client.probed_fence("amber-backend-1")};
}

TEST(BackendClient, ReadsTheFenceRecordWithEachProbe) {
  const Probed there = probe_answered("EN\r\nVA 3\r\n7 2\r\n");
  EXPECT_TRUE(there.ok);
  ASSERT_TRUE(there.read && there.read->record);
  EXPECT_EQ(*there.read->record, (coord::FenceRecord{7, 2}));

  const Probed gone = probe_answered("EN\r\nEN\r\n");
  EXPECT_TRUE(gone.ok);
  ASSERT_TRUE(gone.read.has_value());
  EXPECT_FALSE(gone.read->record.has_value());

  EXPECT_TRUE(probe_answered("EN\r\nSERVER_ERROR out of memory\r\n").ok)
      << "it answers, and that is what a probe asks";
}

TEST(BackendClient, KnowsOfNoRecordByAProbeThatFailed) {
  const Probed strange = probe_answered("HD\r\nEN\r\n");
  EXPECT_FALSE(strange.ok);
  EXPECT_FALSE(strange.read.has_value());
  EXPECT_FALSE(probe_answered("EN\r\nEN\r\nEN\r\n").ok) << "more than was asked";
}

// Answers within the look of probe_all, later, and after the connection had died.
TEST(BackendClient, AsksAllAtOnceAndLeavesWhoIsSlowToAProbeOfItsOwn) {
  Wire wire;
  const coord::Region region(one_backend(wire.port));
  BackendClient client(wire.io.get_executor(), region, wire.timers);
  const std::vector<std::string> ids = {"amber-backend-1", "nobody"};
  const auto together = [&] { return wire.run(client.probe_all(ids)); };
  EXPECT_FALSE(together()[0].has_value()) << "there is no connection yet";
  std::optional<base::Result<base::Duration>> alone;
  wire.begin(client.probe("amber-backend-1", std::chrono::seconds(1)), alone);
  UniqueFd other = wire.answer("EN\r\nEN\r\n");
  ASSERT_TRUE(wire.end(alone).ok());

  Wire::say(other, "EN\r\nVA 3\r\n7 2\r\n");
  auto answers = together();
  ASSERT_TRUE(answers[0] && answers[0]->ok());
  EXPECT_FALSE(answers[1].has_value());
  EXPECT_EQ(*client.probed_fence("amber-backend-1")->record, (coord::FenceRecord{7, 2}));

  EXPECT_FALSE(together()[0].has_value()) << "it has not answered yet";
  EXPECT_FALSE(together()[0].has_value()) << "and is not asked twice";
  alone.reset();
  wire.begin(client.finish_probe("amber-backend-1", std::chrono::seconds(1)), alone);
  Wire::say(other, "EN\r\nEN\r\n");
  EXPECT_TRUE(wire.end(alone).ok());

  const base::Instant asked = wire.clock.now();
  const auto run_until = [&](base::Duration since) {
    wire.timers.run_for(asked + since - wire.clock.now());
  };
  EXPECT_FALSE(together()[0].has_value());
  alone.reset();
  wire.begin(client.finish_probe("amber-backend-1", std::chrono::seconds(1)), alone);
  run_until(std::chrono::milliseconds(999));
  EXPECT_FALSE(alone.has_value());
  run_until(std::chrono::milliseconds(1000));
  ASSERT_TRUE(alone.has_value());
  EXPECT_EQ(alone->code(), base::ErrorCode::kTimeout);

  alone.reset();
  wire.begin(client.probe("amber-backend-1", std::chrono::seconds(1)), alone);
  other = wire.answer("EN\r\nEN\r\n");
  ASSERT_TRUE(wire.end(alone).ok());
  other.reset();  // the process was replaced
  EXPECT_FALSE(together()[0].has_value()) << "that alone is no failure";
  alone.reset();
  wire.begin(client.finish_probe("amber-backend-1", std::chrono::seconds(1)), alone);
  other = wire.answer("EN\r\nEN\r\n");
  EXPECT_TRUE(wire.end(alone).ok());
}

// A backend with one connection that has served, for what happens to it then.
struct Known : Wire {
  const coord::Region region{one_backend(port)};
  BackendClient client{io.get_executor(), region, timers};
  UniqueFd other;
  base::Instant asked;

  Known() {
    std::optional<base::Result<base::Duration>> probed;
    begin(probe(), probed);
    other = answer("EN\r\nEN\r\n");
    CHECK(end(probed).ok());
  }
  // By probe_all, which goes without an answer.
  void ask() {
    asked = clock.now();
    std::vector<std::string> ids = {"amber-backend-1"};
    CHECK(!run(client.probe_all(std::move(ids))).at(0).has_value());
  }
  boost::asio::awaitable<base::Result<base::Duration>> probe() {
    return client.probe("amber-backend-1", std::chrono::seconds(1));
  }
  boost::asio::awaitable<base::Result<base::Duration>> finish() {
    return client.finish_probe("amber-backend-1", std::chrono::seconds(1));
  }
};

using AllStats = std::vector<std::optional<coord::BackendStats>>;

constexpr const char* kStatistics =
    "STAT curr_items 7\r\nSTAT bytes 900\r\nSTAT max_connections 1024\r\nEND\r\n";

TEST(BackendClient, ReadsTheStatisticsOfAllTogether) {
  Known backend;
  const std::vector<std::string> ids = {"nobody", "amber-backend-1"};
  const auto ask = [&](std::optional<AllStats>& all) {
    all.reset();
    backend.begin(backend.client.stats_all(ids, std::chrono::seconds(1)), all);
  };
  std::optional<AllStats> all;
  Wire::say(backend.other, kStatistics);
  ask(all);
  AllStats read = backend.end(all);
  EXPECT_FALSE(read[0].has_value());
  ASSERT_TRUE(read[1].has_value());
  EXPECT_EQ(read[1]->items, 7u);
  EXPECT_EQ(read[1]->bytes, 900u);
  EXPECT_EQ(read[1]->connection_limit, 1024u);

  ask(all);
  backend.timers.run_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(all.has_value());
  std::optional<base::Result<base::Duration>> probed;
  backend.begin(backend.probe(), probed);
  backend.timers.run_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(probed.has_value()) << "the turn is with who asked first";
  Wire::say(backend.other, kStatistics);
  EXPECT_TRUE(backend.end(all)[1].has_value()) << "late, but in time";
  Wire::say(backend.other, "EN\r\nEN\r\n");
  EXPECT_TRUE(backend.end(probed).ok());

  backend.other.reset();  // the process was replaced
  ask(all);
  backend.timers.run_for(std::chrono::milliseconds(5));
  backend.other = backend.answer(kStatistics);
  EXPECT_TRUE(backend.end(all)[1].has_value()) << "that alone is no failure";

  const base::Instant asked = backend.clock.now();
  ask(all);
  backend.timers.run_for(std::chrono::milliseconds(999));
  EXPECT_FALSE(all.has_value());
  backend.timers.run_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(all.has_value());
  EXPECT_FALSE(all->at(1).has_value());
  EXPECT_EQ(backend.clock.now() - asked, std::chrono::seconds(1));
}

// Two backends with a connection each that has served.
struct Pair : Wire {
  UniqueFd other_listening = listen_at(kOtherAddress, port);
  const coord::Region region{backends_at({kAddress, kOtherAddress}, port)};
  BackendClient client{io.get_executor(), region, timers};
  UniqueFd first, second;

  Pair() {
    first = meet("amber-backend-1", listening);
    second = meet("amber-backend-2", other_listening);
  }
  UniqueFd meet(std::string id, const UniqueFd& at) {
    std::optional<base::Result<base::Duration>> probed;
    begin(client.probe(std::move(id), std::chrono::seconds(1)), probed);
    UniqueFd taken = answer_at(at, "EN\r\nEN\r\n");
    CHECK(end(probed).ok());
    return taken;
  }
  boost::asio::awaitable<AllStats> ask_both() {
    std::vector<std::string> ids = {"amber-backend-1", "amber-backend-2"};
    return client.stats_all(std::move(ids), std::chrono::seconds(1));
  }
  // Whether a probe of the second one is answered within a few milliseconds.
  bool is_second_free() {
    const base::Instant began = clock.now();
    std::optional<base::Result<base::Duration>> probed;
    begin(client.probe("amber-backend-2", std::chrono::seconds(1)), probed);
    say(second, "EN\r\nEN\r\n");
    return end(probed).ok() && clock.now() - began < std::chrono::milliseconds(10);
  }
  // Whether the client has closed its end; what it has sent before is lost.
  static bool is_closed(const UniqueFd& peer) {
    char chunk[4096];
    ssize_t got = 1;
    while (got > 0) got = ::recv(peer.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    return got == 0;
  }
};

TEST(BackendClient, KeepsNobodysTurnWhileAnotherIsSilent) {
  Pair pair;
  std::optional<AllStats> all;
  const base::Instant asked = pair.clock.now();
  pair.begin(pair.ask_both(), all);
  pair.timers.run_for(std::chrono::milliseconds(5));
  Wire::say(pair.second, kStatistics);
  pair.timers.run_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(pair.is_second_free());
  EXPECT_FALSE(all.has_value());
  pair.timers.run_for(asked + std::chrono::seconds(1) - pair.clock.now());
  ASSERT_TRUE(all.has_value());
  EXPECT_FALSE(all->at(0).has_value());
  EXPECT_TRUE(Pair::is_closed(pair.first)) << "what comes late must not be taken for a probe's";
  ASSERT_TRUE(all->at(1).has_value());
  EXPECT_EQ(all->at(1)->items, 7u);
  EXPECT_FALSE(Pair::is_closed(pair.second));
}

TEST(BackendClient, AsksOnItsOwnWhoseConnectionHadDiedWhenTheOthersAreSettled) {
  Pair pair;
  std::optional<AllStats> all;
  const base::Instant asked = pair.clock.now();
  pair.first.reset();  // the process was replaced
  pair.begin(pair.ask_both(), all);
  pair.timers.run_for(std::chrono::milliseconds(5));
  Wire::say(pair.second, kStatistics);
  pair.timers.run_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(pair.is_second_free()) << "while the first, which is asked again, is silent";
  EXPECT_FALSE(all.has_value());
  pair.timers.run_for(asked + std::chrono::milliseconds(900) - pair.clock.now());
  pair.first = pair.answer(kStatistics);
  const AllStats got = pair.end(all);
  EXPECT_TRUE(got.at(0).has_value());
  EXPECT_TRUE(got.at(1).has_value());
}

TEST(BackendClient, ClosesConnectionsThatOweStatisticsToNobody) {
  Pair pair;
  boost::asio::cancellation_signal cancel;
  bool ended = false;
  boost::asio::co_spawn(pair.io, pair.ask_both(),
                        boost::asio::bind_cancellation_slot(
                            cancel.slot(), [&ended](std::exception_ptr failed, const AllStats&) {
                              ended = failed != nullptr;
                            }));
  Wire::say(pair.second, kStatistics);
  pair.timers.run_for(std::chrono::milliseconds(5));
  cancel.emit(boost::asio::cancellation_type::terminal);
  pair.timers.run_ready();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(Pair::is_closed(pair.first));
  EXPECT_FALSE(Pair::is_closed(pair.second)) << "it has answered";
  EXPECT_TRUE(pair.is_second_free());
}

TEST(BackendClient, TakesNoAnswerToAnEarlierQuestionForAProbes) {
  Known backend;
  backend.ask();
  Wire::say(backend.other, "EN\r\nVA 3\r\n7 2\r\n");
  backend.other.reset();  // its last word: the process was replaced
  std::optional<base::Result<base::Duration>> probed;
  backend.begin(backend.probe(), probed);
  backend.timers.run_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(probed.has_value()) << "the turn is with who asked first";
  EXPECT_TRUE(backend.run(backend.finish()).ok());
  backend.timers.run_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(probed.has_value()) << "the new process has not answered yet";
  backend.other = backend.answer("EN\r\nEN\r\n");
  EXPECT_TRUE(backend.end(probed).ok());
  EXPECT_FALSE(backend.client.probed_fence("amber-backend-1")->record.has_value());
}

// Of two askers the second ends the first one's question while the first waits to look for its answer.
TEST(BackendClient, LeavesAQuestionToWhoHasTakenItOver) {
  std::optional<std::vector<coord::BackendControl::Probed>> together;
  Known backend;
  std::vector<std::string> ids = {"amber-backend-1"};
  backend.begin(backend.client.probe_all(ids), together);
  ASSERT_FALSE(together.has_value());
  EXPECT_FALSE(backend.run(backend.client.probe_all(ids)).at(0).has_value());
  Wire::say(backend.other, "EN\r\nVA 3\r\n7 2\r\n");
  EXPECT_TRUE(backend.run(backend.finish()).ok());
  EXPECT_FALSE(backend.end(together).at(0).has_value());
  // The connection is as good as it was.
  std::optional<base::Result<base::Duration>> probed;
  backend.begin(backend.probe(), probed);
  Wire::say(backend.other, "EN\r\nEN\r\n");
  EXPECT_TRUE(backend.end(probed).ok());
}

TEST(BackendClient, GivesAProbeOneTimeoutAlsoWhenItsConnectionWasGone) {
  Known backend;
  backend.ask();
  std::optional<base::Result<base::Duration>> probed;
  backend.begin(backend.finish(), probed);
  const auto run_until = [&](base::Duration since) {
    backend.timers.run_for(backend.asked + since - backend.clock.now());
  };
  run_until(std::chrono::milliseconds(600));
  backend.other.reset();
  run_until(std::chrono::milliseconds(800));
  backend.other = backend.answer("");  // asked once more
  run_until(std::chrono::milliseconds(999));
  EXPECT_FALSE(probed.has_value());
  run_until(std::chrono::milliseconds(1000));
  ASSERT_TRUE(probed.has_value());
  EXPECT_EQ(probed->code(), base::ErrorCode::kTimeout);
}

// The record is read and then written on one connection, which must not be lost in between unseen.
TEST(BackendClient, WritesNoFenceRecordAfterAnAnswerWithMoreBehindIt) {
  struct Source final : coord::FenceSource {
    int claims = 0;
    coord::FenceRecord claim() override {
      ++claims;
      return coord::FenceRecord();
    }
    void saw(const coord::FenceRecord&) override {}
  } source;
  std::optional<base::Result<>> raised;
  Wire wire;
  const coord::Region region(one_backend(wire.port));
  BackendClient client(wire.io.get_executor(), region, wire.timers);
  wire.begin(client.raise_fence("amber-backend-1", source, std::chrono::seconds(1)), raised);
  const UniqueFd other = wire.answer("EN\r\nEN\r\n");
  const base::Result<> done = wire.end(raised);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnavailable) << "certainly nothing was written";
  EXPECT_EQ(source.claims, 0);
}

}  // namespace
}  // namespace agent::action
