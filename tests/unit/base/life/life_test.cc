#include "base/life/life.h"

#include <gtest/gtest.h>

#include <boost/system/system_error.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/manual_time.h"

namespace base {
namespace {

using boost::asio::awaitable;

class Life : public ::testing::Test {
 protected:
  awaitable<void> sleep(Duration d) { co_await timers.wait_for(d); }
  awaitable<void> say(std::string word) {
    said.push_back(std::move(word));
    co_return;
  }
  awaitable<void> say_after(Duration d, std::string word) {
    co_await timers.wait_for(d);
    said.push_back(std::move(word));
  }
  awaitable<void> close_and_wait(Duration patience) {
    gate.close();
    const Instant deadline = timers.clock().now() + patience;
    emptied = co_await gate.wait_empty(timers, deadline);
    said.push_back("waited");
  }
  awaitable<void> cancelled() {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
    co_return;
  }
  awaitable<void> broken() {
    throw std::runtime_error("out of cheese");
    co_return;
  }
  awaitable<void> hold(std::shared_ptr<int> value) {
    co_await timers.wait_for(1s);
    *value += 1;
  }

  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  std::vector<std::string> said;
  bool emptied = false;
  Gate gate, waiters;
};

TEST_F(Life, GateCountsWhatRuns) {
  spawn(io.get_executor(), gate, "one", sleep(1s));
  spawn(io.get_executor(), gate, "two", sleep(2s));
  EXPECT_EQ(gate.inside(), 2);
  timers.run_for(1s);
  EXPECT_EQ(gate.inside(), 1);
  timers.run_for(1s);
  EXPECT_EQ(gate.inside(), 0);
}

TEST_F(Life, ClosedGateLetsNobodyIn) {
  gate.close();
  spawn(io.get_executor(), gate, "late", say("never"));
  timers.run_ready();
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(gate.inside(), 0);
}

TEST_F(Life, WaitEmptyReturnsWhenTheLastHasLeft) {
  spawn(io.get_executor(), gate, "work", sleep(100ms));
  spawn(io.get_executor(), waiters, "wait", close_and_wait(10s));
  timers.run_for(99ms);
  EXPECT_TRUE(said.empty());
  timers.run_for(5ms);
  EXPECT_TRUE(emptied);
  EXPECT_EQ(said, std::vector<std::string>{"waited"});
}

TEST_F(Life, WaitEmptyGivesUpAtItsDeadline) {
  spawn(io.get_executor(), gate, "work", sleep(10s));
  spawn(io.get_executor(), waiters, "wait", close_and_wait(1s));
  timers.run_for(1100ms);
  EXPECT_FALSE(emptied);
  EXPECT_EQ(said, std::vector<std::string>{"waited"});
  timers.run_for(10s);
  EXPECT_EQ(gate.inside(), 0);
}

TEST_F(Life, CancellationIsANormalEnd) {
  spawn(io.get_executor(), gate, "cancelled", cancelled());
  timers.run_ready();
  EXPECT_EQ(gate.inside(), 0);
}

TEST_F(Life, ArgumentsLiveAsLongAsTheCoroutineAndNoLonger) {
  auto value = std::make_shared<int>(1);
  spawn(io.get_executor(), gate, "hold", hold(value));
  timers.run_for(500ms);
  EXPECT_EQ(value.use_count(), 2);
  timers.run_for(1s);
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_EQ(*value, 2);
}

using LifeDeathTest = Life;

TEST_F(LifeDeathTest, ExceptionStopsTheProcessWithTheCoroutinesName) {
  EXPECT_DEATH(
      {
        spawn(io.get_executor(), gate, "cheese-maker", broken());
        timers.run_ready();
      },
      "coroutine cheese-maker: out of cheese");
}

TEST_F(LifeDeathTest, GateMayNotDieWithSomebodyInside) {
  EXPECT_DEATH(
      {
        auto brief = std::make_unique<Gate>();
        spawn(io.get_executor(), *brief, "left", sleep(1s));
        brief.reset();
      },
      "CHECK failed");
}

TEST_F(Life, StopsRunInReverseOrderEachAwaited) {
  StopStack stops;
  stops.push("first", [this] { return say("first"); });
  stops.push("second", [this] { return say_after(1s, "second"); });
  stops.push("third", [this] { return say("third"); });
  spawn(io.get_executor(), gate, "stop", stops.stop_all());
  timers.run_for(500ms);
  EXPECT_EQ(said, std::vector<std::string>{"third"});
  timers.run_for(1s);
  EXPECT_EQ(said, (std::vector<std::string>{"third", "second", "first"}));
}

}  // namespace
}  // namespace base
