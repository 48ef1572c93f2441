#include "agent/rule/load_step.h"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using agent::rule::LoadStep;
using agent::rule::ShiftRule;
using News = LoadStep::News;

class LoadSteps : public testing::Test {
 protected:
  // The last of what is said within that time, but for nothing.
  News run(double rate, base::Duration length, bool well = true, bool may_step = true) {
    News last = News::kNone;
    for (const base::Instant end = now + length; now < end;) {
      now = now + LoadStep::kEvery;
      const News news = load.note({rate, may_step, well}, now, rule);
      if (news != News::kNone) last = news;
    }
    return last;
  }

  ShiftRule rule;
  LoadStep load;
  base::Instant now{1'000'000'000'000};
};

TEST_F(LoadSteps, TwiceTheUsualIsOne) {
  EXPECT_EQ(run(1000, 10s), News::kNone);
  EXPECT_EQ(run(1900, 1s), News::kNone);
  EXPECT_FALSE(load.is_up());
  EXPECT_EQ(run(2100, LoadStep::kEvery), News::kSteps);
  EXPECT_TRUE(load.is_up());
  EXPECT_TRUE(load.is_new(now));
  EXPECT_TRUE(load.is_new(now + rule.hold - 1ms));
  EXPECT_FALSE(load.is_new(now + rule.hold));
}

TEST_F(LoadSteps, AFewRequestsMoreAreNone) {
  run(20, 10s);
  EXPECT_EQ(run(200, 10s), News::kNone);
}

TEST_F(LoadSteps, NoneWhereTheLoadMayGrowForAnotherReason) {
  run(1000, 10s);
  EXPECT_EQ(run(3000, 5s, false, false), News::kNone);
  EXPECT_FALSE(load.is_up());
}

TEST_F(LoadSteps, IsOverAfterASecondAtTheLoadBefore) {
  run(1000, 10s);
  run(3000, 8s, false);
  EXPECT_EQ(run(1100, 750ms), News::kNone);
  EXPECT_EQ(run(1100, LoadStep::kEvery), News::kIsOver);
  EXPECT_FALSE(load.is_up());
  EXPECT_NEAR(load.usual(), 1000, 10);
  EXPECT_EQ(run(5000, LoadStep::kEvery), News::kSteps);
}

TEST_F(LoadSteps, IsNotOverWhileLessIsAskedForAndAnsweredSlowly) {
  run(1000, 10s);
  run(3000, 8s, false);
  EXPECT_EQ(run(900, 1min, false), News::kNone);
  EXPECT_TRUE(load.is_up());
  EXPECT_EQ(run(900, 1s), News::kIsOver);
}

TEST_F(LoadSteps, ASecondStepIsOverAtTheLoadBeforeTheFirst) {
  run(1000, 10s);
  run(3000, 20s, false);
  EXPECT_EQ(run(9000, 20s, false), News::kSteps);
  EXPECT_EQ(run(3000, 20s, false), News::kNone);
  EXPECT_EQ(run(1000, 1s), News::kIsOver);
}

TEST_F(LoadSteps, ARushAtItsBeginningIsNotTheLoadThatStays) {
  run(1000, 10s);
  EXPECT_EQ(run(14'000, 500ms, false), News::kSteps);
  EXPECT_EQ(run(2200, 8s, false), News::kNone);
  EXPECT_NEAR(load.usual(), 2200, 300);
}

TEST_F(LoadSteps, IsOverWhenNothingHasBeenSlowForTenSeconds) {
  run(1000, 10s);
  EXPECT_EQ(run(3000, 14s), News::kSteps);
  EXPECT_TRUE(load.is_up());
  EXPECT_EQ(run(3000, 2s), News::kIsOver);
  EXPECT_NEAR(load.usual(), 3000, 10);
}

TEST_F(LoadSteps, BurstsAreOneLoadThatComesAgain) {
  run(1000, 10s);
  EXPECT_EQ(run(3000, 1s), News::kSteps);
  EXPECT_EQ(run(1000, 2s), News::kIsOver);
  for (int i = 0; i < 15; ++i) {
    EXPECT_EQ(run(3500, LoadStep::kEvery), News::kStepsAgain);
    EXPECT_FALSE(load.is_new(now)) << "nothing is learned anew";
    run(3000, 750ms);
    EXPECT_EQ(run(1000, 2s), News::kIsOver);
  }
  EXPECT_EQ(run(9000, 1s), News::kSteps) << "that is another load";
  run(1000, 2min);
  EXPECT_EQ(run(9000, 1s), News::kSteps) << "that is long ago";
}

TEST_F(LoadSteps, BurstsUnderATroubleAreOneLoadToo) {
  run(1000, 10s);
  EXPECT_EQ(run(3000, 1s, false), News::kSteps);
  run(1000, 2s, false);
  base::Duration blind = 0s;
  for (int i = 0; i < 18; ++i) {
    for (int quarter = 0; quarter < 12; ++quarter) {
      EXPECT_NE(run(quarter < 4 ? 3000 : 1000, LoadStep::kEvery, false), News::kSteps);
      if (load.is_new(now)) blind += LoadStep::kEvery;
    }
  }
  EXPECT_LE(blind, rule.hold);
}

TEST_F(LoadSteps, ANextAgentKnowsOfIt) {
  run(1000, 10s);
  run(3000, 8s, false);
  ASSERT_TRUE(load.up().has_value());
  LoadStep next;
  next.restore(*load.up());
  load = next;
  EXPECT_EQ(run(3000, 10s, false), News::kNone);
  EXPECT_TRUE(load.is_up());
  EXPECT_EQ(run(1000, 1s), News::kIsOver);
  EXPECT_FALSE(load.up().has_value());
}

TEST_F(LoadSteps, IsUsualWhenItStaysWithWhatIsSlow) {
  run(1000, 10s);
  EXPECT_EQ(run(3000, rule.forget, false), News::kSteps);
  EXPECT_EQ(run(3000, 1s, false), News::kIsUsual);
  EXPECT_FALSE(load.is_up());
}

}  // namespace
