#include "agent/rule/detector.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::Type;
using agent::rule::Detector;
using agent::rule::RuleSet;
using agent::series::Sample;
using test::World;
using test::WorldOptions;

Sample sample(const char* name, int64_t ms, double value) {
  return {{name, "amber", "p1", "b1", ""}, base::Instant{ms * 1'000'000}, value, 1};
}

TEST(Detector, ReportsAnEndAtOnceAndItsReturnOnce) {
  Detector detector{RuleSet()};
  Sample exited{{"backend_exited", "amber", "", "b1", ""}, base::Instant{5'000'000'000}, 1, 1};
  detector.observe(exited);
  auto verdicts = detector.evaluate(base::Instant{5'100'000'000});
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].type, Type::kBackendDead);
  EXPECT_TRUE(verdicts[0].active);
  EXPECT_EQ(verdicts[0].confidence, 1);
  EXPECT_EQ(verdicts[0].since, exited.at);
  EXPECT_EQ(detector.evaluate(base::Instant{5'200'000'000}).size(), 1U);
  exited.at = base::Instant{6'000'000'000};
  exited.value = 0;
  detector.observe(exited);
  verdicts = detector.evaluate(base::Instant{6'100'000'000});
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].active);
  EXPECT_TRUE(detector.evaluate(base::Instant{6'200'000'000}).empty());
}

TEST(Detector, AMemberThatLeftForGoodEndsItsVerdicts) {
  Detector detector{RuleSet()};
  detector.observe({{"proxy_exited", "amber", "p1", "", ""}, base::Instant{1'000'000}, 1, 1});
  ASSERT_EQ(detector.evaluate(base::Instant{100'000'000}).size(), 1U);
  detector.forget({"amber", "p1", "", ""});
  const auto verdicts = detector.evaluate(base::Instant{200'000'000});
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].active);
  EXPECT_EQ(detector.series_count(), 0U);
}

TEST(Detector, ASeriesSilentForAnHourIsForgotten) {
  Detector detector{RuleSet()};
  detector.observe(sample("canary_ok", 1000, 1));
  detector.observe(sample("link_pace", 1000, 0));
  detector.observe(sample("proxy_connections", 1000, 10));
  detector.evaluate(base::Instant{2'000'000'000});
  EXPECT_GT(detector.series_count(), 0U);
  for (int minute = 1; minute < 63; ++minute) {
    detector.evaluate(base::Instant{minute * 60'000'000'000});
  }
  EXPECT_EQ(detector.series_count(), 0U);
}

TEST(Detector, UnknownSeriesAreIgnored) {
  Detector detector{RuleSet()};
  detector.observe(sample("moon_phase", 1000, 1));
  EXPECT_EQ(detector.series_count(), 0U);
}

TEST(Detector, ADisabledRuleSaysNothing) {
  RuleSet rules;
  rules.proxy_dead.enabled = false;
  Detector detector(rules);
  detector.observe({{"proxy_exited", "amber", "p1", "", ""}, base::Instant{1'000'000}, 1, 1});
  EXPECT_TRUE(detector.evaluate(base::Instant{100'000'000}).empty());
}

TEST(Detector, AStartingProcessIsNotStuck) {
  Detector detector{RuleSet()};
  for (int64_t ms = 1000; ms < 12'000; ms += 100) {
    detector.observe(
        {{"backend_probe_ok", "amber", "", "b1", ""}, base::Instant{ms * 1'000'000}, 0, 1});
    detector.observe(sample("canary_ok", ms, 0));
    EXPECT_TRUE(detector.evaluate(base::Instant{ms * 1'000'000}).empty()) << ms;
  }
}

TEST(Detector, WhatItLearnedSurvivesSaveAndRestore) {
  WorldOptions options;
  options.rate = 200;
  options.background = 0.02;
  World world(options);
  world.run_for(20min);
  const std::string saved = world.detector.save();
  Detector fresh{RuleSet()};
  ASSERT_TRUE(fresh.restore(saved, world.now()).ok());
  const auto before = boost::json::parse(saved).as_object();
  const auto after = boost::json::parse(fresh.save()).as_object();
  for (const char* list : {"links", "levels", "traffic", "rhythms", "heights", "commands"}) {
    const auto& kept = before.at(list).as_array();
    const auto& found = after.at(list).as_array();
    ASSERT_FALSE(kept.empty()) << list;
    ASSERT_EQ(found.size(), kept.size());
    for (size_t i = 0; i < kept.size(); ++i) {
      for (const auto& [key, value] : kept[i].as_object()) {
        const auto& other = found[i].at(key);
        if (value.is_string()) {
          EXPECT_EQ(other, value);
        } else {
          EXPECT_NEAR(other.to_number<double>(), value.to_number<double>(), 1e-6);
        }
      }
    }
  }
}

TEST(Detector, AMalformedMemoryChangesNothing) {
  Detector detector{RuleSet()};
  const std::string before = detector.save();
  for (const char* text :
       {"", "[]", "{}", "{\"version\":2,\"links\":[],\"levels\":[]}",
        "{\"version\":1,\"links\":[{\"cluster\":1}],\"levels\":[]}",
        "{\"version\":1,\"links\":[{\"cluster\":\"a\",\"proxy\":\"p\",\"backend\":"
        "\"b\",\"slow\":1,\"all\":9,\"load\":{\"slow\":9,\"all\":1,"
        "\"rate_before\":1,\"rate\":3}}],\"levels\":[]}",
        "{\"version\":1,\"links\":[],\"levels\":[{\"cluster\":\"a\",\"proxy\":"
        "\"p\",\"client\":\"\","
        "\"value\":-1,\"seconds\":1}]}",
        "{\"version\":1,\"links\":[],\"levels\":[{\"cluster\":\"a\",\"proxy\":"
        "\"p\",\"client\":\"\",\"value\":1,\"seconds\":1e12}]}"}) {
    EXPECT_FALSE(detector.restore(text, base::Instant{1'000'000'000}).ok()) << text;
  }
  EXPECT_EQ(detector.save(), before);
}

TEST(Detector, TheSameSamplesGiveTheSameVerdicts) {
  const auto run = [] {
    WorldOptions options;
    options.seed = 5;
    World world(options);
    world.run_for(30s);
    world.cluster("amber").slow_share = 0.15;
    world.run_for(20s);
    return world.story();
  };
  EXPECT_EQ(run(), run());
}

TEST(Detector, AfterTheAgentItselfStoodStillNobodyIsCalledStuck) {
  World world(WorldOptions{});
  world.run_for(30s);
  // The agent's first look after ten seconds of standing sees old heartbeats and failed canaries.
  const base::Instant late = world.now() + 10s;
  for (const auto& proxy : world.cluster("amber").proxies) {
    world.detector.observe(
        {{"proxy_heartbeat_age_seconds", "amber", proxy.id, "", ""}, late, 10, 1});
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(world.detector.evaluate(late + i * 100ms).empty());
  }
}

}  // namespace
