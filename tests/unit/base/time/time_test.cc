#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <vector>

#include "base/time/clock.h"
#include "base/time/thread_time.h"
#include "base/time/timers.h"
#include "tests/support/manual_time.h"

namespace base {
namespace {

boost::asio::awaitable<void> note_after(Timers& timers, Duration d, int mark,
                                        std::vector<int>& marks) {
  co_await timers.wait_for(d);
  marks.push_back(mark);
}

boost::asio::awaitable<void> tick_every(Timers& timers, Duration d, int times,
                                        std::vector<Instant>& ticks) {
  for (int i = 0; i < times; ++i) {
    co_await timers.wait_for(d);
    ticks.push_back(timers.clock().now());
  }
}

TEST(WallTime, PrintsRfc3339InUtcWithMilliseconds) {
  EXPECT_EQ(WallTime{1'795'418'897'042'999'999}.to_rfc3339(), "2026-11-23T07:28:17.042Z");
  EXPECT_EQ(WallTime{0}.to_rfc3339(), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(WallTime{-1'000'000}.to_rfc3339(), "1969-12-31T23:59:59.999Z");
}

TEST(ThreadTime, GrowsWhileTheThreadWorks) {
  const ThreadTime time;
  const Duration before = time.wanted();
  volatile uint64_t work = 0;
  // The kernel brings the figure up to date at least once per scheduler tick.
  while (time.wanted() - before < 1ms) work = work + 1;
  EXPECT_GE(time.wanted() - before, 1ms);
}

TEST(ThreadTime, KnowsToTheMomentWhatTheThreadRan) {
  const Duration before = ThreadTime::ran();
  volatile uint64_t work = 0;
  for (int i = 0; i < 1000; ++i) work = work + 1;
  EXPECT_GT(ThreadTime::ran(), before);
}

TEST(Instant, KnowsDistancesAndOrder) {
  const Instant start{1000};
  EXPECT_EQ((start + 2us).ns, 3000);
  EXPECT_EQ(start + 2us - start, 2us);
  EXPECT_LT(start, start + 1ns);
  EXPECT_DOUBLE_EQ(to_seconds(1500ms), 1.5);
}

TEST(SystemClock, NeverGoesBack) {
  const SystemClock clock;
  Instant last = clock.now();
  for (int i = 0; i < 1000; ++i) {
    const Instant now = clock.now();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(clock.wall(), WallTime{1'700'000'000'000'000'000});
}

TEST(ManualTimers, WakesSleepersInOrderOfTheirTimes) {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers(io, clock);
  std::vector<int> marks;
  for (const int ms : {30, 10, 20}) {
    boost::asio::co_spawn(io, note_after(timers, ms * 1ms, ms, marks), boost::asio::detached);
  }
  timers.run_for(9ms);
  EXPECT_TRUE(marks.empty());
  timers.run_for(11ms);
  EXPECT_EQ(marks, (std::vector<int>{10, 20}));
  timers.run_for(1h);
  EXPECT_EQ(marks, (std::vector<int>{10, 20, 30}));
}

TEST(ManualTimers, ShowsEachSleeperItsOwnWakeUpTime) {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers(io, clock);
  const Instant start = clock.now();
  std::vector<Instant> ticks;
  boost::asio::co_spawn(io, tick_every(timers, 10min, 6, ticks), boost::asio::detached);
  timers.run_for(1h);
  ASSERT_EQ(ticks.size(), 6u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(ticks[static_cast<size_t>(i)] - start, (i + 1) * 10min);
  EXPECT_EQ(clock.now() - start, 1h);
}

TEST(AsioTimers, ReturnsAtOnceForATimeThatHasPassed) {
  boost::asio::io_context io;
  test::ManualClock clock;
  AsioTimers timers(io.get_executor(), clock);
  std::vector<int> marks;
  boost::asio::co_spawn(io, note_after(timers, -1s, 1, marks), boost::asio::detached);
  io.run();
  EXPECT_EQ(marks, std::vector<int>{1});
}

TEST(AsioTimers, StopEndsPresentAndFutureWaits) {
  boost::asio::io_context io;
  test::ManualClock clock;
  AsioTimers timers(io.get_executor(), clock);
  std::vector<int> marks;
  int cancelled = 0;
  const auto count = [&cancelled](const std::exception_ptr& failure) { cancelled += !!failure; };
  boost::asio::co_spawn(io, note_after(timers, 1h, 1, marks), count);
  io.poll();
  timers.stop();
  boost::asio::co_spawn(io, note_after(timers, 1h, 2, marks), count);
  io.restart();
  io.run();
  EXPECT_EQ(cancelled, 2);
  EXPECT_TRUE(marks.empty());
}

}  // namespace
}  // namespace base
