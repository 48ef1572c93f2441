#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
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

boost::asio::awaitable<void> tick_at_beats(Timers& timers, Duration period, int times,
                                           std::vector<Instant>& ticks) {
  for (int i = 0; i < times; ++i) {
    co_await timers.wait_for_beat(period);
    ticks.push_back(timers.clock().now());
  }
}

TEST(WallTime, PrintsRfc3339InUtcWithMilliseconds) {
  EXPECT_EQ(WallTime{1'795'418'897'042'999'999}.to_rfc3339(), "2026-11-23T07:28:17.042Z");
  EXPECT_EQ(WallTime{0}.to_rfc3339(), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(WallTime{-1'000'000}.to_rfc3339(), "1969-12-31T23:59:59.999Z");
}

TEST(WallTime, ReadsRfc3339WithAnyFractionAndOffset) {
  const auto ns = [](std::string_view text) {
    const auto at = WallTime::from_rfc3339(text);
    return at.has_value() ? at->ns : -1;
  };
  constexpr int64_t kSecond = 1'795'418'897'000'000'000;
  EXPECT_EQ(ns("2026-11-23T07:28:17Z"), kSecond);
  EXPECT_EQ(ns("2026-11-23T07:28:17.042Z"), kSecond + 42'000'000);
  EXPECT_EQ(ns("2026-11-23T07:28:17.042123456789Z"), kSecond + 42'123'456);
  EXPECT_EQ(ns("2026-11-23T09:58:17+02:30"), kSecond);
  EXPECT_EQ(ns("2026-11-22T23:28:17-08:00"), kSecond);
  EXPECT_EQ(ns("0001-01-01T00:00:00Z"), 0) << "Go's time that is none";
  EXPECT_EQ(ns("9999-12-31T23:59:59Z"), 7'258'118'400'000'000'000);
  for (const char* odd :
       {"", "2026", "2026-11-23", "2026-13-23T07:28:17Z", "2026-02-30T07:28:17Z",
        "2026-11-23T24:28:17Z", "2026-11-23T07:60:17Z", "2026-11-23T07:28:61Z",
        "2026-11-23T07:28:17", "2026-11-23T07:28:17.Z", "2026-11-23T07:28:17.042Zx",
        "2026-11-23T07:28:17+2:30", "2026-11-23T07:28:17+02:30x", "2026-11-23T07:28:17+25:00",
        "2026-11-23 07:28:17Z", "+026-11-23T07:28:17Z", " 026-11-23T07:28:17Z"}) {
    EXPECT_EQ(ns(odd), -1) << odd;
  }
}

TEST(ThreadTime, GrowsWhileTheThreadWorks) {
  const ThreadTime time;
  const Duration before = time.spent().wanted();
  volatile uint64_t work = 0;
  // The kernel brings the figure up to date at least once per scheduler tick.
  while (time.spent().wanted() - before < 1ms) work = work + 1;
  EXPECT_GE(time.spent().wanted() - before, 1ms);
}

TEST(ThreadTime, DoesNotKnowOfWaitingWhereTheKernelDoesNotTell) {
  EXPECT_TRUE(ThreadTime().spent().waited.has_value());
  EXPECT_FALSE(ThreadTime("/dev/null").spent().waited.has_value());
  EXPECT_FALSE(ThreadTime("/nonexistent").spent().waited.has_value());
  EXPECT_GT(ThreadTime("/nonexistent").spent().wanted(), Duration(0));
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

TEST(Beat, IsTheFirstMultipleThatIsNotBefore) {
  EXPECT_EQ(next_beat(Instant{1'000}, 100ns), Instant{1'000});
  EXPECT_EQ(next_beat(Instant{1'001}, 100ns), Instant{1'100});
  EXPECT_EQ(next_beat(Instant{1'099}, 100ns), Instant{1'100});
}

TEST(Beat, IsSharedByLoopsThatBeganAtOtherTimes) {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers(io, clock);
  std::vector<Instant> early, late;
  boost::asio::co_spawn(io, tick_at_beats(timers, 100ms, 10, early), boost::asio::detached);
  timers.run_for(130ms);
  boost::asio::co_spawn(io, tick_at_beats(timers, 100ms, 9, late), boost::asio::detached);
  timers.run_for(1s);
  ASSERT_EQ(early.size(), 10u);
  ASSERT_EQ(late.size(), 9u);
  EXPECT_TRUE(std::equal(late.begin(), late.end(), early.begin() + 1));
}

TEST(Beat, IsLeftOutWhenItIsLessThanHalfAPeriodAway) {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers(io, clock);
  const Instant beat = next_beat(clock.now(), 100ms);
  std::vector<Instant> ticks;
  clock.set(beat + 49ms);
  boost::asio::co_spawn(io, tick_at_beats(timers, 100ms, 1, ticks), boost::asio::detached);
  timers.run_ready();
  clock.set(beat + 51ms);
  boost::asio::co_spawn(io, tick_at_beats(timers, 100ms, 1, ticks), boost::asio::detached);
  timers.run_for(1s);
  EXPECT_EQ(ticks, (std::vector<Instant>{beat + 100ms, beat + 200ms}));
}

TEST(ManualTimers, RingsAnAlarmOnceAtItsTimeUnlessItIsDestroyedBefore) {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers(io, clock);
  std::vector<int> rung;
  const auto kept = timers.alarm(clock.now() + 1s, [&rung] { rung.push_back(1); });
  auto destroyed = timers.alarm(clock.now() + 1s, [&rung] { rung.push_back(2); });
  timers.run_for(999ms);
  EXPECT_TRUE(rung.empty());
  destroyed.reset();
  timers.run_for(1h);
  EXPECT_EQ(rung, std::vector<int>{1});
}

TEST(AsioTimers, RingsAnAlarmUnlessItIsDestroyedBefore) {
  boost::asio::io_context io;
  test::ManualClock clock;
  AsioTimers timers(io.get_executor(), clock);
  std::vector<int> rung;
  const auto kept = timers.alarm(clock.now() + 1ms, [&rung] { rung.push_back(1); });
  auto destroyed = timers.alarm(clock.now() + 1ms, [&rung] { rung.push_back(2); });
  // So long ago that it comes first even if the others' times have passed, too, when it is made.
  const auto passed = timers.alarm(clock.now() - 1h, [&] {
    rung.push_back(3);
    destroyed.reset();
  });
  EXPECT_TRUE(rung.empty()) << "never from within the call";
  io.run();
  EXPECT_EQ(rung, (std::vector<int>{3, 1}));
}

// Its timer had run out, and what rings waited in the queue.
TEST(AsioTimers, AnAlarmThatIsDestroyedByAnotherOfTheSameMomentDoesNotRing) {
  boost::asio::io_context io;
  test::ManualClock clock;
  AsioTimers timers(io.get_executor(), clock);
  std::unique_ptr<Alarm> one, other;
  int rung = 0;
  one = timers.alarm(clock.now() - 1ms, [&] {
    ++rung;
    other.reset();
  });
  other = timers.alarm(clock.now() - 1ms, [&] {
    ++rung;
    one.reset();
  });
  io.run();
  EXPECT_EQ(rung, 1);
}

TEST(AsioTimers, StopRingsPresentAndFutureAlarms) {
  boost::asio::io_context io;
  test::ManualClock clock;
  AsioTimers timers(io.get_executor(), clock);
  std::vector<int> rung;
  const auto present = timers.alarm(clock.now() + 1h, [&rung] { rung.push_back(1); });
  io.poll();
  timers.stop();
  const auto future = timers.alarm(clock.now() + 1h, [&rung] { rung.push_back(2); });
  io.restart();
  io.run();
  EXPECT_EQ(rung, (std::vector<int>{1, 2}));
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
