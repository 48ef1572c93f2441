// Races for a name in a real BIND 9, and messages that are late, lost, or taken by nobody knows whom.
#include <gtest/gtest.h>
#include <signal.h>

#include <utility>

#include "tests/integration/dns/race.h"
#include "tests/integration/dns/relay.h"
#include "tests/support/bind_server.h"
#include "tests/support/real_time.h"

namespace agent::dns {
namespace {

using namespace std::chrono_literals;

constexpr const char* kName = "a.cache.test";
// Long enough to get as far as the UPDATE on a busy machine; then it is waited out.
constexpr base::Duration kShortly = 1500ms;

Change to_address(uint64_t from, uint64_t to, const std::string& address) {
  Change change;
  change.name = kName;
  change.expected_generation = from;
  change.target.addresses = {address};
  change.fence = to;
  change.run = "run-" + std::to_string(to);
  return change;
}

// A server with a name at generation 5, and a way to it on which things happen.
class BindTrouble : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::BindServer::installed()) GTEST_SKIP() << "named is not installed (Debian: bind9)";
    server_.emplace();
    server_->start();
    relay_.emplace(time_.io(), server_->place());
    ASSERT_TRUE(change(server_->place(), to_address(0, 5, "10.0.0.5")).ok());
  }
  // The relay goes on waiting when the coroutine is through.
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> answer;
    time_.io().restart();
    boost::asio::co_spawn(time_.io(), std::move(work), [&](std::exception_ptr, T value) {
      answer.emplace(std::move(value));
      time_.io().stop();
    });
    time_.io().run();
    return std::move(*answer);
  }
  base::Result<Changed> change(const ServerPlace& by, Change wanted, base::Duration within = 10s) {
    Rfc2136Options options = server_->options();
    options.servers = {by};
    Rfc2136Switch names(time_.io().get_executor(), time_.timers(), options);
    return run(names.change(std::move(wanted), time_.in(within)));
  }
  NameState state() {
    Rfc2136Switch names(time_.io().get_executor(), time_.timers(), server_->options());
    const auto views = run(names.read(kName, time_.in(10s)));
    if (!views || !views->front().state) return NameState();
    return *views->front().state;
  }
  bool comes_to(uint64_t generation) {
    const base::Instant end = time_.in(10s);
    while (time_.in(0s) < end) {
      if (state().generation == generation) return true;
    }
    return false;
  }
  // While a message is held.
  boost::asio::awaitable<void> act_first() {
    Rfc2136Switch names(time_.io().get_executor(), time_.timers(), server_->options());
    Change first = to_address(5, 7, "10.0.0.7");
    const auto done = co_await names.change(std::move(first), time_.in(10s));
    EXPECT_TRUE(done.ok());
    relay_->hold_updates = false;
    relay_->release();
  }
  test::RealTime time_;
  std::optional<test::BindServer> server_;
  std::optional<test::Relay> relay_;
  bool acted_ = false;
};

TEST_F(BindTrouble, OfEightExecutorsExactlyOneWinsEachGenerationAndTheNameIsNeverEmpty) {
  constexpr int kExecutors = 8, kGenerations = 100;
  test::Race race(*server_, "race.cache.test", kExecutors, kGenerations);
  const test::RaceResult result = race.run();
  EXPECT_EQ(result.generations_with_one_winner, kGenerations);
  EXPECT_EQ(result.lost, (kExecutors - 1) * kGenerations);
  EXPECT_EQ(result.neither, 0) << result.trouble;
  EXPECT_GT(result.reads, kGenerations);
  EXPECT_EQ(result.empty_reads, 0);
  EXPECT_EQ(result.last.generation, 1000u + kGenerations);
  EXPECT_EQ(result.last.run, result.last_winner);
}

TEST_F(BindTrouble, AStoppedServerLeavesItUnknownAndTellsWhenItGoesOn) {
  relay_->before_update = [this] { server_->signal(SIGSTOP); };
  const auto done = change(relay_->place(), to_address(5, 6, "10.0.0.6"), kShortly);
  server_->signal(SIGCONT);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnknown) << done.error().context;
  // It had the message: asked again, it says yes.
  EXPECT_TRUE(comes_to(6));
  EXPECT_TRUE(change(server_->place(), to_address(5, 6, "10.0.0.6")).ok());
}

TEST_F(BindTrouble, AServerThatDiedWithTheMessageSaysNo) {
  relay_->before_update = [this] { server_->signal(SIGSTOP); };
  const auto done = change(relay_->place(), to_address(5, 6, "10.0.0.6"), kShortly);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnknown) << done.error().context;
  server_->kill();
  server_->start();
  EXPECT_EQ(state().generation, 5u);
  EXPECT_TRUE(change(server_->place(), to_address(5, 6, "10.0.0.6")).ok());
}

TEST_F(BindTrouble, AMessageThatComesAfterAnotherOneActedChangesNothing) {
  relay_->hold_updates = true;
  const auto done = change(relay_->place(), to_address(5, 6, "10.0.0.6"), kShortly);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnknown);
  ASSERT_TRUE(change(server_->place(), to_address(5, 7, "10.0.0.7")).ok());
  EXPECT_GE(relay_->held(), 1u);
  relay_->release();
  // What is asked after it is answered after it, or sees at least no trace of it.
  ASSERT_TRUE(change(server_->place(), to_address(7, 8, "10.0.0.8")).ok());
  EXPECT_EQ(state().generation, 8u);
  EXPECT_EQ(state().target.addresses, std::vector<std::string>{"10.0.0.8"});
}

TEST_F(BindTrouble, TheLoserOfAHeldMessageIsToldWhoWon) {
  relay_->before_update = [this] {
    if (std::exchange(acted_, true)) return;
    relay_->hold_updates = true;
    boost::asio::co_spawn(time_.io(), act_first(), [](std::exception_ptr) {});
  };
  const auto done = change(relay_->place(), to_address(5, 6, "10.0.0.6"));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kConflict);
  EXPECT_NE(done.error().context.find("generation 7 of run-7: A 10.0.0.7"), std::string::npos)
      << done.error().context;
}

}  // namespace
}  // namespace agent::dns
