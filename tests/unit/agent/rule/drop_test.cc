#include <gtest/gtest.h>

#include "agent/rule/detector.h"
#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::State;
using agent::incident::Type;
using agent::incident::Verdict;
using agent::rule::Detector;
using agent::rule::RuleSet;
using test::World;
using test::WorldOptions;

// Two proxies whose traffic is told once a second.
class Traffic : public testing::Test {
 protected:
  Traffic() : detector_(RuleSet()) {}

  void run(base::Duration length, double first, double second) {
    const base::Instant end = now_ + length;
    for (; now_ < end; now_ = now_ + 1s) {
      if (first >= 0) tell("p1", first);
      if (second >= 0) tell("p2", second);
      for (Verdict& verdict : detector_.evaluate(now_)) {
        if (verdict.active && said_.empty()) told_at_ = now_;
        said_.push_back(std::move(verdict));
      }
    }
  }
  void tell(const char* proxy, double value) {
    detector_.observe({{"proxy_requests", "amber", proxy, "", ""}, now_, value, 1});
  }
  bool is_active() const { return !said_.empty() && said_.back().active; }

  Detector detector_;
  base::Instant now_{1'000'000'000'000};
  std::vector<Verdict> said_;
  base::Instant told_at_;
};

TEST_F(Traffic, SaysWhatWasUsualAndWhatIsThere) {
  run(20min, 800, 700);
  const base::Instant stopped = now_;
  run(10s, 0, 5);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].rule, "traffic_drop");
  EXPECT_EQ(said_[0].type, Type::kOther);
  EXPECT_EQ(said_[0].title, "Traffic of cluster amber has dropped");
  EXPECT_EQ(said_[0].sentence, "5 requests/s on cluster amber, usually at least 1500.");
  EXPECT_EQ(said_[0].confidence, 0.9);
  EXPECT_EQ(said_[0].since, stopped);
  EXPECT_LE(told_at_ - stopped, 6s);
  ASSERT_EQ(said_[0].evidence.size(), 1U);
  EXPECT_EQ(said_[0].evidence[0].series, "proxy_requests{cluster=amber}");
}

TEST_F(Traffic, EndsWhenItIsBack) {
  run(20min, 800, 700);
  run(30s, 100, 100);
  EXPECT_TRUE(is_active());
  run(15s, 800, 700);
  EXPECT_FALSE(is_active());
}

TEST_F(Traffic, WhatTheOtherProxyHasTakenOverIsToldLater) {
  run(20min, 800, 800);
  run(50s, 10, 1590);
  EXPECT_TRUE(said_.empty());
  run(15s, 10, 1590);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].scope.proxy, "p1");
  EXPECT_NE(said_[0].sentence.find("taken over"), std::string::npos) << said_[0].sentence;
}

TEST_F(Traffic, AYoungSeriesIsOnlyLearned) {
  run(10min, 800, 700);
  run(1min, 0, 0);
  EXPECT_TRUE(said_.empty());
}

TEST_F(Traffic, AHoleThatClosedByItselfTeachesPatience) {
  run(20min, 800, 800);
  run(20s, 0, 0);
  EXPECT_FALSE(said_.empty());
  run(10min, 800, 800);
  said_.clear();
  run(20s, 0, 0);
  EXPECT_TRUE(said_.empty());
  run(10min, 800, 800);
  run(50s, 0, 0);
  EXPECT_FALSE(said_.empty());
}

TEST_F(Traffic, WhatStaysForAnHourIsTheUsual) {
  run(20min, 800, 800);
  run(50min, 100, 100);
  EXPECT_TRUE(is_active());
  run(11min, 100, 100);
  EXPECT_FALSE(is_active());
  said_.clear();
  run(1h, 100, 100);
  EXPECT_TRUE(said_.empty());
}

TEST_F(Traffic, SilenceOfTheSeriesIsNoDrop) {
  run(20min, 800, 800);
  run(5min, -1, -1);
  run(1min, 800, -1);
  EXPECT_TRUE(said_.empty());
}

TEST_F(Traffic, ADeadProxyIsNoDropOfItsOwnNorIsItsReturn) {
  run(20min, 800, 800);
  detector_.observe({{"proxy_exited", "amber", "p1", "", ""}, now_, 1, 1});
  run(10s, -1, 1600);
  detector_.observe({{"proxy_exited", "amber", "p1", "", ""}, now_, 0, 1});
  run(20min, 5, 1600);
  for (const Verdict& verdict : said_) EXPECT_EQ(verdict.type, Type::kProxyDead);
}

TEST_F(Traffic, WhatWasLearnedSurvivesARestart) {
  run(20min, 800, 800);
  Detector next{RuleSet()};
  ASSERT_TRUE(next.restore(detector_.save(), now_).ok());
  std::vector<Verdict> verdicts;
  for (int i = 0; i < 45 && verdicts.empty(); ++i) {
    now_ = now_ + 1s;
    for (const char* proxy : {"p1", "p2"}) {
      next.observe({{"proxy_requests", "amber", proxy, "", ""}, now_, 0, 1});
    }
    verdicts = next.evaluate(now_);
  }
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].scope.proxy, "");
}

// A slow network makes clients leave; that is no second incident.
TEST(TrafficTimeline, ADropWithinASlowNetworkIsItsSymptom) {
  WorldOptions options;
  options.seed = 5;
  options.rate = 200;
  World world(options);
  world.run_for(16min);
  ASSERT_EQ(world.incident_count(), 0U) << world.story();
  world.cluster("amber").slow_share = 0.3;
  world.run_for(3s);
  world.cluster("amber").request_share = 0.05;
  world.run_for(1min);
  ASSERT_EQ(world.incident_count(), 1U) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded);
}

TEST(TrafficTimeline, ADropIsSuspectedWithinTenSecondsAndThenOpen) {
  WorldOptions options;
  options.seed = 6;
  options.rate = 200;
  World world(options);
  world.run_for(16min);
  world.cluster("amber").request_share = 0.05;
  world.run_for(8s);
  ASSERT_EQ(world.incident_count(), 1U) << world.story();
  world.run_for(8s);
  EXPECT_EQ(world.only_incident()->state, State::kOpen) << world.story();
  EXPECT_EQ(world.only_incident()->title, "Traffic of cluster amber has dropped");
  world.cluster("amber").request_share = 1;
  world.run_for(1min);
  EXPECT_EQ(world.only_incident()->state, State::kResolved) << world.story();
}

}  // namespace
