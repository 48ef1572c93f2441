#include "proxy/backend/fence_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/manual_time.h"

namespace proxy {
namespace {

using base::Instant;
using base::memcache::FenceRecord;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kAddress = "127.0.0.1";
const std::string kRead = "mg !mcguard/fence v\r\n";

// A backend that says what it is told to, and a worker's loop that is turned by hand.
class FenceProbeTest : public testing::Test, public FenceProbe::Reader, public Loop::Turns {
 protected:
  FenceProbeTest() : loop_(*Loop::create(clock_)), probe_(*loop_, clock_, *this) {
    listening_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    inet_pton(AF_INET, kAddress, &at.sin_addr);
    CHECK(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    CHECK(::listen(listening_.get(), 8) == 0);
    socklen_t size = sizeof at;
    CHECK(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port_ = ntohs(at.sin_port);
  }

  struct Read {
    std::optional<FenceRecord> record;
    Instant asked, now;
  };

  // Wants it, and lets it connect.
  void want() {
    probe_.want(kAddress, port_, clock_.now());
    accepted_.reset(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(accepted_.valid());
    loop_->turn(*this);
  }
  void pass(base::Duration time) {
    clock_.advance(time);
    probe_.tick(clock_.now());
  }
  void answer(const std::string& text) {
    CHECK(::send(accepted_.get(), text.data(), text.size(), 0) == ssize_t(text.size()));
    loop_->turn(*this);
  }
  // What the backend has been asked since the last call; nothing more is on its way.
  std::string asked() {
    char bytes[1000];
    const ssize_t got = ::recv(accepted_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return got <= 0 ? std::string() : std::string(bytes, static_cast<size_t>(got));
  }
  bool is_closed() {
    char byte;
    return ::recv(accepted_.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }
  bool somebody_connects() {
    return ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC) >= 0;
  }

  test::ManualClock clock_;
  std::unique_ptr<Loop> loop_;
  base::net::UniqueFd listening_, accepted_;
  uint16_t port_ = 0;
  FenceProbe probe_;
  std::vector<Read> reads_;

 private:
  void on_probed(const std::optional<FenceRecord>& record, Instant asked, Instant now) override {
    reads_.push_back({record, asked, now});
  }
  void begin_turn(Instant) override {}
  void tick(Instant) override {}
  void end_turn() override {}
  void begin_crowded() override {}
  uint64_t messages() const override { return 0; }
};

TEST_F(FenceProbeTest, ReadsAtOnceAndTellsWhenItAsked) {
  want();
  EXPECT_EQ(asked(), kRead);
  const Instant when = clock_.now();
  clock_.advance(milliseconds(30));
  answer("VA 4\r\n");
  EXPECT_TRUE(reads_.empty()) << "half a reply";
  answer("7 12\r\n");
  ASSERT_EQ(reads_.size(), 1u);
  EXPECT_EQ(reads_[0].record, (FenceRecord{7, 12}));
  EXPECT_EQ(reads_[0].asked, when);
  EXPECT_EQ(reads_[0].now, when + milliseconds(30));
}

TEST_F(FenceProbeTest, AsksAgainWhenItHasItsAnswerAndNotBefore) {
  want();
  asked();
  pass(milliseconds(150));
  EXPECT_EQ(asked(), "") << "one read at a time";
  answer("VA 3\r\n7 1\r\n");
  EXPECT_EQ(asked(), kRead) << "the last one was long ago";
  answer("VA 3\r\n7 1\r\n");
  pass(milliseconds(99));
  EXPECT_EQ(asked(), "");
  pass(milliseconds(1));
  EXPECT_EQ(asked(), kRead);
}

TEST_F(FenceProbeTest, TakesNothingThatItDidNotAskFor) {
  want();
  answer("VA 3\r\n7 1\r\nVA 3\r\n7 1\r\n");
  EXPECT_TRUE(reads_.empty());
  asked();
  EXPECT_TRUE(is_closed());
}

TEST_F(FenceProbeTest, TellsThatThereIsNoRecord) {
  want();
  answer("EN\r\n");
  answer("VA 3\r\nabc\r\n");  // nobody has asked for it: not to be trusted
  ASSERT_EQ(reads_.size(), 1u);
  EXPECT_FALSE(reads_[0].record.has_value());
  asked();
  EXPECT_TRUE(is_closed());
}

TEST_F(FenceProbeTest, AsksAtOnceAgainWhenAnAnswerCameLate) {
  want();
  asked();
  const Instant when = clock_.now();
  pass(milliseconds(700));
  EXPECT_FALSE(is_closed());
  answer("VA 3\r\n7 1\r\n");
  ASSERT_EQ(reads_.size(), 1u);
  EXPECT_EQ(reads_[0].asked, when) << "whoever reads it knows how old it is";
  EXPECT_EQ(asked(), kRead);
}

TEST_F(FenceProbeTest, GivesUpWhatIsNotAnsweredAndRestsBeforeItTriesAgain) {
  want();
  asked();
  pass(milliseconds(2001));
  EXPECT_TRUE(is_closed());
  probe_.want(kAddress, port_, clock_.now());
  EXPECT_FALSE(somebody_connects());
  pass(seconds(1));
  want();
  EXPECT_EQ(asked(), kRead);
}

TEST_F(FenceProbeTest, EndsWhenItHasNotBeenWantedForAWhile) {
  want();
  for (int i = 0; i < 50; ++i) {
    asked();
    answer("VA 3\r\n7 1\r\n");
    pass(milliseconds(100));
  }
  probe_.want(kAddress, port_, clock_.now());
  EXPECT_FALSE(somebody_connects()) << "the same connection";
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(asked(), "") << i;
    answer("VA 3\r\n7 1\r\n");
    pass(milliseconds(100));
  }
  asked();
  EXPECT_FALSE(is_closed());
  answer("VA 3\r\n7 1\r\n");
  pass(milliseconds(100));
  EXPECT_TRUE(is_closed());
}

TEST_F(FenceProbeTest, SurvivesABackendThatClosesOrTalksNonsense) {
  want();
  accepted_.reset();
  loop_->turn(*this);
  pass(seconds(2));
  want();
  answer("nonsense\r\n");
  asked();
  EXPECT_TRUE(is_closed());
  listening_.reset();
  pass(seconds(2));
  probe_.want(kAddress, port_, clock_.now());
  loop_->turn(*this);
  pass(seconds(2));
  EXPECT_TRUE(reads_.empty());
}

}  // namespace
}  // namespace proxy
