#include <gtest/gtest.h>

#include <algorithm>

#include "agent/rule/detector.h"

namespace agent::rule {
namespace {

using namespace std::chrono_literals;

// Rules that are not asked at each evaluation.
class SlowTurns : public ::testing::Test {
 protected:
  // Of `resources_low`, active or ended, at the next evaluation, 100 ms later.
  size_t next(bool active) {
    now_ = now_ + 100ms;
    const auto verdicts = detector_.evaluate(now_);
    return static_cast<size_t>(
        std::count_if(verdicts.begin(), verdicts.end(), [active](const incident::Verdict& verdict) {
          return verdict.rule == "resources_low" && verdict.active == active;
        }));
  }
  void tell(double descriptors) {
    series::Sample sample{{"proxy_descriptors", "amber", "amber-proxy-1", "", ""}, now_};
    sample.value = descriptors;
    sample.weight = 1000;
    detector_.observe(sample);
  }
  void fill() {
    tell(999);
    for (int i = 0; i < 5; ++i) next(true);
    ASSERT_EQ(next(true), 1u);
  }

  base::Instant now_{1'000'000'000'000};
  Detector detector_{RuleSet()};
};

TEST_F(SlowTurns, AVerdictStandsInBetween) {
  fill();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(next(true), 1u) << i;
}

TEST_F(SlowTurns, AnEndIsToldOnce) {
  fill();
  size_t ends = 0;
  for (int i = 0; i < 1200; ++i) {
    if (i % 10 == 0) tell(100);
    ends += next(false);
  }
  EXPECT_EQ(ends, 1u);
  EXPECT_EQ(next(true), 0u);
}

TEST_F(SlowTurns, WhatIsForgottenEndsAtTheNextEvaluation) {
  fill();
  detector_.forget({"amber", "amber-proxy-1", "", ""});
  EXPECT_EQ(next(false), 1u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(next(true), 0u);
}

TEST_F(SlowTurns, NewRulesHoldAtTheNextEvaluation) {
  tell(999);
  for (int i = 0; i < 5; ++i) next(true);
  RuleSet none;
  none.resources_low.enabled = false;
  detector_.set_rules(none);
  size_t ends = 0;
  for (int i = 0; i < 1200; ++i) ends += next(false);
  EXPECT_EQ(ends, 1u);
}

}  // namespace
}  // namespace agent::rule
