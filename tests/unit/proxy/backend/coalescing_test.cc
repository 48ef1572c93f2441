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

  // Lets a tick pass in which the thread was busy for `share` of the time and each of 100 turns had
  // `messages`.
  void tick(double share, uint64_t messages) {
    now_ = now_ + 20ms;
    work_.wanted += Duration(int64_t(share * 20'000'000));
    work_.turns += 100;
    work_.messages += 100 * messages;
    coalescing_.on_tick(now_, work_);
  }
  // The number of ticks until it is on, at most `most`.
  int ticks_until_on(int most) {
    for (int i = 1; i <= most; ++i) {
      tick(0.9, 2);
      if (coalescing_.is_on()) return i;
    }
    return most + 1;
  }

  Coalescing coalescing_;
  Instant now_{1'000'000'000};
  Coalescing::Work work_;
};

TEST_F(CoalescingTest, LeavesAQuietWorkerAlone) {
  for (int i = 0; i < 100; ++i) tick(0.7, 2);
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

TEST_F(CoalescingTest, GivesUpWhereATurnGathersLittleAndTriesAgainEverMoreRarely) {
  tick(0.9, 2);
  ASSERT_TRUE(coalescing_.is_on());
  for (const int seconds : {1, 2, 4, 8, 16, 16}) {
    tick(0.9, 5);
    ASSERT_FALSE(coalescing_.is_on());
    EXPECT_EQ(ticks_until_on(2000), seconds * 50);
  }
}

TEST_F(CoalescingTest, ForgetsItsFailuresOnceATrialWasWorthwhile) {
  tick(0.9, 2);
  tick(0.9, 5);
  ASSERT_EQ(ticks_until_on(2000), 50);
  tick(0.9, 20);
  tick(0.9, 5);
  ASSERT_FALSE(coalescing_.is_on());
  EXPECT_EQ(ticks_until_on(2000), 50) << "not 100";
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
