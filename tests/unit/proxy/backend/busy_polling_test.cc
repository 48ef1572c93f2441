#include "proxy/backend/busy_polling.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

using namespace std::chrono_literals;
using base::Duration;
using base::Instant;

// A worker whose ticks are 20 ms apart. What a message costs without polling and with it, and how
// long a wait is, is for the test to say.
class BusyPollingTest : public ::testing::Test {
 protected:
  BusyPollingTest() {
    polling_.set_policy(50us, PollWhen::kCheaper);
    polling_.on_tick(now_, work_, true);
  }

  void tick() {
    now_ = now_ + 20ms;
    const Duration cost = polling_.is_on() ? cost_with_ : cost_without_;
    work_.ran += cost * messages_;
    work_.wanted += Duration(int64_t(share_ * 20'000'000));
    work_.messages += messages_;
    if (!polling_.is_on()) {
      for (int i = 0; i < 10; ++i) polling_.on_wait(wait_);
    }
    polling_.on_tick(now_, work_, may_poll_);
  }
  // Ticks of `duration` in which it polled.
  int polled_ticks(Duration duration) {
    int polled = 0;
    for (const Instant end = now_ + duration; now_ < end;) {
      polled += polling_.is_on();
      tick();
    }
    return polled;
  }
  // The number of ticks until it is on, at most `most`.
  int ticks_until_on(int most) {
    for (int i = 1; i <= most; ++i) {
      tick();
      if (polling_.is_on()) return i;
    }
    return most + 1;
  }

  BusyPolling polling_;
  Instant now_{1'000'000'000};
  BusyPolling::Work work_;
  // A lone client.
  uint64_t messages_ = 400;
  Duration cost_without_ = 27us, cost_with_ = 23us;
  Duration wait_ = 30us;
  double share_ = 0.5;
  bool may_poll_ = true;
};

TEST_F(BusyPollingTest, PollsForALoneClientWhoseRequestsItMakesCheaper) {
  EXPECT_EQ(polling_.window(), 0us);
  EXPECT_EQ(ticks_until_on(10), 3);
  EXPECT_EQ(polling_.window(), 50us);
  EXPECT_GT(polled_ticks(60s), 0.98 * 3000) << "but for a measurement without, now and then";
}

TEST_F(BusyPollingTest, NeverPollsWithoutTraffic) {
  messages_ = 0;
  EXPECT_EQ(polled_ticks(60s), 0);
  messages_ = 15;
  EXPECT_EQ(polled_ticks(60s), 0) << "too few to tell";
}

TEST_F(BusyPollingTest, StopsWithTheTraffic) {
  ASSERT_EQ(ticks_until_on(10), 3);
  messages_ = 2;
  tick();
  EXPECT_FALSE(polling_.is_on());
}

TEST_F(BusyPollingTest, DoesNotTryWhereMostWaitsAreLong) {
  wait_ = 150us;
  EXPECT_EQ(polled_ticks(60s), 0);
  wait_ = 90us;  // of which going to sleep and waking up are a part
  EXPECT_EQ(ticks_until_on(10), 3);
}

TEST_F(BusyPollingTest, DoesNotTryWhileBusyOrCoalescing) {
  share_ = 0.8;
  EXPECT_EQ(polled_ticks(60s), 0);
  share_ = 0.5;
  may_poll_ = false;
  EXPECT_EQ(polled_ticks(60s), 0);
  may_poll_ = true;
  ASSERT_LE(ticks_until_on(10), 3);
  may_poll_ = false;
  tick();
  EXPECT_FALSE(polling_.is_on());
}

TEST_F(BusyPollingTest, GivesUpAHopelessTrialAtOnceAndTriesEverMoreRarely) {
  cost_with_ = 2 * cost_without_;
  ASSERT_EQ(ticks_until_on(10), 3);
  for (const int seconds : {1, 2, 4, 8, 16, 16}) {
    tick();
    ASSERT_FALSE(polling_.is_on());
    const int ticks = ticks_until_on(2000);
    EXPECT_GE(ticks, seconds * 50);
    EXPECT_LT(ticks, seconds * 50 + 3);
  }
}

TEST_F(BusyPollingTest, FinishesATrialThatIsALittleDearerAndThenStops) {
  cost_with_ = cost_without_ * 11 / 10;
  ASSERT_EQ(ticks_until_on(10), 3);
  tick();
  tick();
  EXPECT_TRUE(polling_.is_on());
  tick();
  EXPECT_FALSE(polling_.is_on());
}

TEST_F(BusyPollingTest, TriesAnotherLoadSooner) {
  cost_with_ = 2 * cost_without_;
  polled_ticks(40s);
  while (!polling_.is_on()) tick();
  tick();
  ASSERT_FALSE(polling_.is_on()) << "and rests for 16 s";
  messages_ = 100;
  cost_with_ = 23us;
  EXPECT_LE(ticks_until_on(2000), 53);
}

TEST_F(BusyPollingTest, StopsWhenPollingGrowsDearer) {
  ASSERT_EQ(ticks_until_on(10), 3);
  polled_ticks(2s);
  ASSERT_TRUE(polling_.is_on());
  cost_with_ = 40us;
  EXPECT_LE(polled_ticks(2s), 10);
  EXPECT_FALSE(polling_.is_on());
}

TEST_F(BusyPollingTest, FindsOutWhenToSleepHasGrownCheaper) {
  ASSERT_EQ(ticks_until_on(10), 3);
  cost_without_ = 15us;
  polled_ticks(11s);
  EXPECT_FALSE(polling_.is_on());
}

TEST_F(BusyPollingTest, AWindowOfZeroTurnsItOff) {
  ASSERT_EQ(ticks_until_on(10), 3);
  polling_.set_policy(50us, PollWhen::kCheaper);
  EXPECT_TRUE(polling_.is_on()) << "nothing has changed";
  polling_.set_policy(0us, PollWhen::kCheaper);
  EXPECT_FALSE(polling_.is_on());
  EXPECT_EQ(polled_ticks(60s), 0);
}

TEST_F(BusyPollingTest, PollsWhateverItCostsWhereLatencyIsAllThatCounts) {
  polling_.set_policy(50us, PollWhen::kAlways);
  cost_without_ = 10us;
  share_ = 0.9;
  for (int i = 0; i < 100; ++i) {
    tick();
    ASSERT_EQ(polling_.window(), 50us);
  }
  polling_.set_policy(0us, PollWhen::kAlways);
  EXPECT_EQ(polling_.window(), 0us);
}

}  // namespace
}  // namespace proxy
