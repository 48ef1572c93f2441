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

// A proxy whose requests fail, unlike its peers'.
class EndedBetweenTurns : public SlowTurns {
 protected:
  void tell(const char* name, int proxy, double value, double weight) {
    series::Sample sample{{name, "amber", "amber-proxy-" + std::to_string(proxy), "", ""}, now_};
    sample.value = value;
    sample.weight = weight;
    detector_.observe(sample);
  }
  void second() {
    for (int proxy = 1; proxy <= 4; ++proxy) {
      tell("proxy_exited", proxy, 0, 1);
      tell("proxy_failures", proxy, proxy == 1 ? 500 : 1, 10'000);
    }
    for (int i = 0; i < 10; ++i) differs();
  }
  // At the next evaluation.
  bool differs() {
    now_ = now_ + 100ms;
    const auto verdicts = detector_.evaluate(now_);
    return std::any_of(verdicts.begin(), verdicts.end(), [](const incident::Verdict& verdict) {
      return verdict.rule == "peer_differs" && verdict.active;
    });
  }
};

TEST_F(EndedBetweenTurns, WhatWasSaidOfItGoesAtTheNextEvaluation) {
  for (int i = 0; i < 5; ++i) {
    for (int seconds = 0; seconds < 180; ++seconds) second();
    for (int more = 0; more < i; ++more) differs();
    ASSERT_TRUE(differs()) << i;
    tell("proxy_exited", 1, 1, 1);
    EXPECT_FALSE(differs()) << i;
  }
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
