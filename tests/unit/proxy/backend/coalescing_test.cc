#include "proxy/backend/coalescing.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

using namespace std::chrono_literals;
using base::Duration;
using base::Instant;

// A worker whose ticks are 20 ms apart.
class CoalescingTest : public ::testing::Test {
 protected:
  CoalescingTest() {
    coalescing_.set_window(100us);
    coalescing_.on_tick(now_, work_);
  }

  // Lets a tick pass in which the thread was busy for `share` of the time and each turn had `messages`.
  void tick(double share, uint64_t messages, uint64_t turns = 100) {
    now_ = now_ + 20ms;
    work_.wanted += Duration(int64_t(share * 20'000'000));
    work_.turns += turns;
    work_.messages += turns * messages;
    coalescing_.on_tick(now_, work_);
  }
  // The number of ticks until it is on, at most `most`.
  int ticks_until_on(int most, double share = 0.9) {
    for (int i = 1; i <= most; ++i) {
      tick(share, 2);
      if (coalescing_.is_on()) return i;
    }
    return most + 1;
  }

  Duration window() const { return coalescing_.wait(now_, now_); }

  Coalescing coalescing_;
  Instant now_{1'000'000'000};
  Coalescing::Work work_;
};

TEST_F(CoalescingTest, LeavesAQuietWorkerAlone) {
  for (int i = 0; i < 100; ++i) tick(0.25, 2);
  EXPECT_FALSE(coalescing_.is_on());
  EXPECT_EQ(coalescing_.wait(now_, now_), 0us);
}

TEST_F(CoalescingTest, WaitsUntilTheWindowAfterTheLastLookHasPassed) {
  tick(0.8, 2);
  ASSERT_TRUE(coalescing_.is_on());
  EXPECT_EQ(coalescing_.wait(now_, now_), 100us);
  EXPECT_EQ(coalescing_.wait(now_, now_ + 70us), 30us);
  EXPECT_EQ(coalescing_.wait(now_, now_ + 100us), 0us);
  EXPECT_EQ(coalescing_.wait(now_, now_ + 5ms), 0us) << "the turn's own work took longer";
}

TEST_F(CoalescingTest, StaysOnWhileItSavesWorkAndStopsWhenTheLoadIsGone) {
  tick(0.8, 2);
  for (int i = 0; i < 100; ++i) {
    tick(0.65, 20);  // less work than before it began: that is its purpose
    ASSERT_TRUE(coalescing_.is_on());
  }
  tick(0.5, 20);
  EXPECT_FALSE(coalescing_.is_on());
  EXPECT_EQ(ticks_until_on(3), 1) << "a new load is met at once";
}

TEST_F(CoalescingTest, WidensWhereATurnGathersTooLittleAndKeepsWhatIsEnough) {
  tick(0.9, 2);
  ASSERT_EQ(window(), 100us);
  tick(0.9, 8);
  EXPECT_EQ(window(), 200us);
  tick(0.9, 16);
  EXPECT_EQ(window(), 400us);
  for (int i = 0; i < 200; ++i) {
    tick(0.9, 20);
    ASSERT_EQ(window(), 400us) << "not wider, however little it is";
  }
  tick(0.9, 30);
  EXPECT_EQ(window(), 400us);
}

TEST_F(CoalescingTest, NarrowsWhereAHalfWouldDo) {
  tick(0.9, 2);
  tick(0.9, 8);
  tick(0.9, 16);
  ASSERT_EQ(window(), 400us);
  tick(0.9, 130);
  EXPECT_EQ(window(), 200us);
  tick(0.9, 130);
  tick(0.9, 130);
  EXPECT_EQ(window(), 100us) << "the configured one";
}

TEST_F(CoalescingTest, GoesBackForASecondFromAWindowThatGathersNoMore) {
  tick(0.9, 2);
  tick(0.9, 16);  // eight clients, each waiting for its answer
  ASSERT_EQ(window(), 200us);
  tick(0.9, 16);
  EXPECT_EQ(window(), 100us);
  int ticks = 0;
  while (window() == 100us && ticks < 1000) {
    tick(0.9, 16);
    ++ticks;
  }
  EXPECT_EQ(ticks, 50);
}

TEST_F(CoalescingTest, GoesBackFromAWindowForWhichEverybodyWaits) {
  tick(0.9, 2);
  tick(0.9, 10);
  ASSERT_EQ(window(), 200us);
  tick(0.5, 40);
  EXPECT_EQ(window(), 100us);
  tick(0.9, 20);
  EXPECT_EQ(window(), 100us) << "it was of no use a moment ago";
  tick(0.5, 20);
  EXPECT_FALSE(coalescing_.is_on()) << "and this one neither: the load is gone";
}

TEST_F(CoalescingTest, AWideWindowIsNotWidenedFurther) {
  coalescing_.set_window(5ms);
  tick(0.9, 2);
  ASSERT_EQ(window(), 5ms);
  for (int i = 0; i < 10; ++i) {
    tick(0.9, 20);
    EXPECT_EQ(window(), 5ms);
  }
}

TEST_F(CoalescingTest, GivesUpWhereATurnGathersLittleAndTriesAgainEverMoreRarely) {
  tick(0.9, 2);
  ASSERT_TRUE(coalescing_.is_on());
  for (const int seconds : {1, 2, 4, 8, 16, 16}) {
    tick(0.9, 5);
    ASSERT_TRUE(coalescing_.is_on()) << "a wider window is tried first";
    tick(0.9, 5);
    tick(0.9, 5);
    ASSERT_FALSE(coalescing_.is_on());
    EXPECT_EQ(ticks_until_on(2000), seconds * 50);
  }
}

TEST_F(CoalescingTest, ForgetsItsFailuresOnceATrialWasWorthwhile) {
  tick(0.9, 2);
  for (int i = 0; i < 3; ++i) tick(0.9, 5);
  ASSERT_EQ(ticks_until_on(2000), 50);
  tick(0.9, 50);
  for (int i = 0; i < 3; ++i) tick(0.9, 5);
  ASSERT_FALSE(coalescing_.is_on());
  EXPECT_EQ(ticks_until_on(2000), 50) << "not 100";
}

TEST_F(CoalescingTest, ATurnThatWasLongerThanATickSaysNothing) {
  tick(0.9, 2);
  for (int i = 0; i < 10; ++i) {
    now_ = now_ + 20ms;
    work_.wanted += 20ms;
    coalescing_.on_tick(now_, work_);
    EXPECT_TRUE(coalescing_.is_on());
  }
}

TEST_F(CoalescingTest, TriesWithAHalfBusyWorkerAndGoesOnIfMorePasses) {
  tick(0.45, 2);
  ASSERT_TRUE(coalescing_.is_on());
  tick(0.4, 4, 60);  // more than half as many turns, of twice as much: it begins to pay
  EXPECT_EQ(window(), 200us);
  tick(0.5, 12, 60);
  for (int i = 0; i < 200; ++i) {
    tick(0.55, 30, 60);
    ASSERT_TRUE(coalescing_.is_on());
  }
  for (int i = 0; i < 3; ++i) tick(0.3, 30, 60);
  EXPECT_FALSE(coalescing_.is_on()) << "the load is gone";
  tick(0.45, 2);
  EXPECT_TRUE(coalescing_.is_on()) << "tried again at once";
}

TEST_F(CoalescingTest, LeavesAWorkerAloneWhoseLoadIsHalfOfWhatItCouldDo) {
  tick(0.45, 2);
  for (const int seconds : {1, 2, 4, 8, 16, 16}) {
    ASSERT_TRUE(coalescing_.is_on());
    for (int i = 0; i < 5; ++i) tick(0.35, 20, 10);  // as many messages as without
    ASSERT_FALSE(coalescing_.is_on());
    EXPECT_EQ(ticks_until_on(2000, 0.45), seconds * 50);
  }
  for (int i = 0; i < 5; ++i) tick(0.35, 20, 10);
  tick(0.8, 4);
  EXPECT_TRUE(coalescing_.is_on()) << "a worker that is busy does not wait for that";
}

TEST_F(CoalescingTest, WhatPassesInABurstIsNoReasonToTryAgainAtOnce) {
  tick(0.4, 2);
  ASSERT_TRUE(coalescing_.is_on());
  for (int i = 0; i < 5; ++i) tick(0.4, 20, 50);
  ASSERT_TRUE(coalescing_.is_on());
  for (int i = 0; i < 3; ++i) tick(0.4, 2);
  ASSERT_FALSE(coalescing_.is_on());
  for (int i = 0; i < 40; ++i) {
    tick(0.4, 2);
    ASSERT_FALSE(coalescing_.is_on());
  }
}

TEST_F(CoalescingTest, AWindowOfZeroTurnsItOff) {
  tick(0.9, 2);
  ASSERT_TRUE(coalescing_.is_on());
  coalescing_.set_window(0us);
  EXPECT_FALSE(coalescing_.is_on());
  for (int i = 0; i < 10; ++i) tick(0.9, 20);
  EXPECT_FALSE(coalescing_.is_on());
}

}  // namespace
}  // namespace proxy
