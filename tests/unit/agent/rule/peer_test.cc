#include "agent/rule/peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "agent/rule/detector.h"
#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::Scope;
using agent::incident::State;
using agent::incident::Type;
using agent::incident::Verdict;
using agent::rule::Detector;
using agent::rule::RuleSet;
using test::World;
using test::WorldOptions;
using testing::HasSubstr;
using testing::IsEmpty;

// Proxies and backends of one cluster, told once a second.
class Peers : public testing::Test {
 protected:
  struct Member {
    double failures = 0.0001;
    double p99 = 0.001;
    double cost = 50e-6;
    double connections = 200;
    double requests = 1000;  // a second
    bool draining = false;
    bool silent = false;
  };

  Peers() : proxies_(8), detector_(std::make_unique<Detector>(RuleSet())) {}

  void run(base::Duration length) {
    const base::Instant end = now_ + length;
    for (; now_ < end; now_ = now_ + 1s) {
      for (size_t i = 0; i < proxies_.size(); ++i) tell("proxy", i, proxies_[i]);
      for (size_t i = 0; i < backends_.size(); ++i) tell("backend", i, backends_[i]);
      active_.clear();
      for (Verdict& verdict : detector_->evaluate(now_)) {
        if (!verdict.active) continue;
        if (said_.empty()) told_at_ = now_;
        active_.push_back(verdict);
        said_.push_back(std::move(verdict));
      }
    }
  }
  void learn() {
    run(17min);
    EXPECT_THAT(said_, IsEmpty());
  }
  // The agent ends, and its successor knows what it has saved.
  void restart() {
    auto next = std::make_unique<Detector>(RuleSet());
    ASSERT_TRUE(next->restore(detector_->save(), now_).ok());
    detector_ = std::move(next);
  }
  void observe(const std::string& name, size_t member, double value, double weight = 1) {
    const bool backend = name.starts_with("backend");
    const std::string id = (backend ? "b" : "p") + std::to_string(member + 1);
    detector_->observe(
        {{name, "amber", backend ? "" : id, backend ? id : "", ""}, now_, value, weight});
  }

  std::vector<Member> proxies_, backends_;
  std::unique_ptr<Detector> detector_;
  base::Instant now_{1'000'000'000'000};
  std::vector<Verdict> said_, active_;  // since the start, now
  base::Instant told_at_;

 private:
  void tell(const std::string& kind, size_t i, const Member& member) {
    if (member.silent) return;
    const double window = 10 * member.requests;
    observe(kind + "_failures", i, member.failures * window, window);
    observe(kind + "_p99_seconds", i, member.p99, window);
    if (kind == "backend") return;
    observe("proxy_processor_seconds", i, 0.1 + member.cost * window, window);
    observe("proxy_connections", i, member.connections);
    observe("proxy_draining", i, member.draining ? 1 : 0);
  }
};

TEST_F(Peers, OneThatAnswersWithErrorsIsToldWithNumbers) {
  learn();
  const base::Instant began = now_;
  proxies_[2].failures = 0.021;
  run(40s);
  ASSERT_FALSE(said_.empty());
  const Verdict& verdict = said_[0];
  EXPECT_EQ(verdict.rule, "peer_differs");
  EXPECT_EQ(verdict.type, Type::kOther);
  EXPECT_EQ(verdict.scope, (Scope{"amber", "p3", "", ""}));
  EXPECT_EQ(verdict.title, "Proxy p3 is unlike its peers");
  EXPECT_EQ(verdict.sentence,
            "Proxy p3 answers 2.1 % of requests with errors while its 7 peers answer 0.01 % "
            "(median).");
  EXPECT_EQ(verdict.since, began);
  EXPECT_LE(told_at_ - began, 32s);
  ASSERT_EQ(verdict.evidence.size(), 1U);
  EXPECT_EQ(verdict.evidence[0].series, "proxy_failures{cluster=amber,proxy=p3}");
  EXPECT_NEAR(verdict.evidence[0].baseline, 0.0001, 0.00001);
  EXPECT_NEAR(verdict.evidence[0].observed, 0.021, 1e-9);
}

TEST_F(Peers, ASlowBackendIsToldAfterThreeMinutes) {
  backends_.resize(4);
  learn();
  backends_[3].p99 = 0.0123;
  run(170s);
  EXPECT_THAT(said_, IsEmpty());
  run(20s);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].scope, (Scope{"amber", "", "b4", ""}));
  EXPECT_EQ(said_[0].sentence,
            "Backend b4 has a 99th percentile of 12.3 ms while its 3 peers have 1.0 ms (median).");
}

TEST_F(Peers, DearRequestsAndManyConnectionsAreTold) {
  learn();
  proxies_[0].cost = 400e-6;
  proxies_[0].connections = 900;
  run(200s);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].sentence,
            "Proxy p1 spends 410 µs of processor time on a request while its 7 peers spend 60 µs "
            "(median); it holds 900 connections while its 7 peers hold 200 (median).");
}

TEST_F(Peers, EndsAMinuteAfterItIsLikeTheOthersAgain) {
  learn();
  proxies_[2].failures = 0.05;
  run(1min);
  EXPECT_EQ(active_.size(), 1U);
  proxies_[2].failures = 0.0001;
  run(55s);
  EXPECT_EQ(active_.size(), 1U);
  run(10s);
  EXPECT_THAT(active_, IsEmpty());
}

TEST_F(Peers, HalfADifferenceKeepsAVerdictAndStartsNone) {
  learn();
  proxies_[1].p99 = 0.0042;
  proxies_[2].p99 = 0.0025;  // far less than 3 times and 2 ms
  run(4min);
  ASSERT_EQ(active_.size(), 1U);
  proxies_[1].p99 = 0.0028;
  run(4min);
  ASSERT_EQ(active_.size(), 1U);
  EXPECT_EQ(active_[0].scope.proxy, "p2");
}

TEST_F(Peers, WhatAllDoIsNoDifference) {
  learn();
  for (Member& proxy : proxies_) {
    proxy.failures = 0.2;
    proxy.p99 = 0.2;
    proxy.cost = 500e-6;
    proxy.connections = 2000;
  }
  proxies_[5].p99 = 0.35;
  run(10min);
  for (const Verdict& verdict : said_) EXPECT_EQ(verdict.type, Type::kConnectionSurge);
}

TEST_F(Peers, AmongThreeNobodyDiffers) {
  proxies_.resize(3);
  learn();
  proxies_[0].failures = 0.3;
  run(5min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, WhoHasHardlyAnyTrafficIsNoPeer) {
  proxies_.resize(4);
  proxies_[3].requests = 20;
  learn();
  proxies_[0].failures = 0.3;
  run(5min);
  EXPECT_THAT(said_, IsEmpty());
  proxies_[3].requests = 200;
  run(1min);
  EXPECT_FALSE(said_.empty());
}

TEST_F(Peers, ErrorsAreToldFromTheStartAndAllElseIsLearnedFirst) {
  proxies_[0] = {0.02, 0.02, 500e-6, 1000};
  run(20min);
  ASSERT_FALSE(said_.empty());
  EXPECT_LE(told_at_ - base::Instant{1'000'000'000'000}, 62s);
  for (const Verdict& verdict : said_) EXPECT_EQ(verdict.evidence.size(), 1U);
}

TEST_F(Peers, AThirdOfThemIsNotOneOfMany) {
  proxies_.resize(6);
  learn();
  proxies_[0].failures = proxies_[1].failures = 0.05;
  run(5min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, TwoOfSevenAreTwo) {
  proxies_.resize(7);
  learn();
  proxies_[0].failures = proxies_[1].failures = 0.05;
  run(1min);
  EXPECT_EQ(active_.size(), 2U);
}

TEST_F(Peers, MoreThatJoinInMakeItEverybodysTrouble) {
  learn();
  proxies_[0].failures = 0.05;
  run(1min);
  EXPECT_EQ(active_.size(), 1U);
  for (size_t i = 1; i < 5; ++i) proxies_[i].failures = 0.05;
  run(2min);
  EXPECT_THAT(active_, IsEmpty());
}

TEST_F(Peers, PeersThatDifferFromEachOtherProveNothing) {
  const std::vector<double> usual = {0.001, 0.002, 0.004, 0.008, 0.001, 0.002, 0.004, 0.001};
  learn();
  for (size_t i = 0; i < usual.size(); ++i) proxies_[i].p99 = usual[i];
  run(10min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, TinyValuesAreAlike) {
  for (Member& proxy : proxies_) proxy = {0, 20e-6, 1e-6, 1, 1000};
  learn();
  proxies_[4].failures = 0.004;
  proxies_[4].p99 = 0.0019;
  proxies_[4].connections = 250;
  run(10min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, WhatIsCheapInAllMayCostManyTimesAsMuchForOneRequest) {
  learn();
  proxies_[0].requests = 100;
  proxies_[0].cost = 500e-6;  // a twentieth of a core
  run(10min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, OnePauseOfOneMemberIsNone) {
  learn();
  proxies_[0].p99 = 4;
  proxies_[0].failures = 0.4;
  run(14s);  // four seconds, and the window that they stay in
  proxies_[0].p99 = 0.001;
  proxies_[0].failures = 0.0001;
  run(5min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, AHotKeyOfTwoMinutesIsNone) {
  backends_.resize(4);
  learn();
  backends_[0].p99 = 0.03;
  run(2min);
  backends_[0].p99 = 0.001;
  run(5min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, WhatIsUsualForOneIsItsMeasure) {
  proxies_[1].connections = 800;
  proxies_[3].cost = 300e-6;
  proxies_[6].p99 = 0.006;
  learn();
  for (Member& proxy : proxies_) {
    proxy.connections *= 2;
    proxy.p99 *= 1.5;
  }
  run(10min);
  EXPECT_THAT(said_, IsEmpty());
  proxies_[1].connections = 6000;
  run(4min);
  ASSERT_FALSE(said_.empty());
  const Verdict& last = said_.back();
  EXPECT_EQ(last.scope.proxy, "p2");
}

TEST_F(Peers, WhoHeldFewAndNowHoldsWhatAllHoldIsNone) {
  for (Member& proxy : proxies_) proxy.connections = 500;
  proxies_[4].connections = 25;
  learn();
  proxies_[4].connections = 550;
  run(1h);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, SaysWhatWouldBeUsual) {
  proxies_[1].p99 = 0.005;
  learn();
  proxies_[1].p99 = 0.03;
  run(200s);
  ASSERT_FALSE(said_.empty());
  EXPECT_THAT(said_[0].sentence,
              HasSubstr("while its 7 peers have 1.0 ms (median; usual for it would be 5.0 ms)."));
}

TEST_F(Peers, WhatStaysIsTheUsual) {
  learn();
  proxies_[2].connections = 900;
  run(1h);
  EXPECT_EQ(active_.size(), 1U);
  run(65min);
  EXPECT_THAT(active_, IsEmpty());
  said_.clear();
  run(3h);
  EXPECT_THAT(said_, IsEmpty());
  // What was learned is the new level, and not that anything goes.
  proxies_[2].connections = 4000;
  run(4min);
  EXPECT_FALSE(said_.empty());
}

TEST_F(Peers, WhatWentAwayByItselfIsKnownTheNightAfter) {
  learn();
  proxies_[2].p99 = 0.008;
  run(20min);
  EXPECT_EQ(active_.size(), 1U);
  proxies_[2].p99 = 0.001;
  run(12h);
  restart();
  run(11h);
  said_.clear();
  proxies_[2].p99 = 0.008;
  run(20min);
  EXPECT_THAT(said_, IsEmpty());
  proxies_[2].p99 = 0.02;
  run(5min);
  EXPECT_FALSE(said_.empty()) << "worse than it was";
}

TEST_F(Peers, ErrorsAreToldEachTime) {
  learn();
  for (int i = 0; i < 2; ++i) {
    said_.clear();
    proxies_[2].failures = 0.05;
    run(5min);
    EXPECT_FALSE(said_.empty());
    proxies_[2].failures = 0.0001;
    run(1h);
  }
}

TEST_F(Peers, WhoJoinsAKnownClusterIsJudgedForWhatClientsFeel) {
  learn();
  proxies_.push_back({0.05, 0.001, 500e-6, 1000});
  run(1min);
  EXPECT_THAT(said_, IsEmpty()) << "half a minute for a start, half a minute of errors";
  run(10s);
  ASSERT_EQ(active_.size(), 1U);
  EXPECT_THAT(active_[0].sentence, HasSubstr("of requests with errors"));
  run(5min);
  EXPECT_EQ(active_[0].evidence.size(), 1U) << "its hardware and its clients are only learned";
}

TEST_F(Peers, AMemberThatJoinsWithoutClientsIsNone) {
  learn();
  proxies_.push_back({0, 0.003, 200e-6, 0, 5});
  for (int minute = 0; minute < 60; ++minute) {
    proxies_.back().connections += 5;
    proxies_.back().requests += 20;
    run(1min);
  }
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, ADeployOfOneAfterTheOtherIsNone) {
  proxies_.resize(5);
  learn();
  for (Member& proxy : proxies_) {
    proxy.draining = true;
    const double moved = proxy.connections / 4;
    proxy.connections = 0;
    run(5s);
    for (Member& other : proxies_) other.connections += &other == &proxy ? 0 : moved;
    proxy.draining = false;
    proxy.cost = 600e-6;  // all its clients greet it anew
    proxy.p99 = 0.02;
    proxy.failures = 0.02;
    run(25s);
    proxy.cost = 50e-6;
    proxy.p99 = 0.001;
    proxy.failures = 0.0001;
    run(1min);
  }
  run(1h);
  for (const Verdict& verdict : said_) EXPECT_EQ(verdict.rule, "traffic_drop") << verdict.sentence;
}

TEST_F(Peers, WhoDrainsIsNotJudged) {
  learn();
  proxies_[0].draining = true;
  proxies_[0].failures = 0.5;
  run(5min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, WhatAnotherRuleHasSaidIsNotSaidAgain) {
  learn();
  const auto stuck = [&](base::Duration length) {
    const base::Instant end = now_ + length;
    while (now_ < end) {
      observe("proxy_heartbeat_age_seconds", 0, 6);
      run(1s);
    }
  };
  proxies_[0].failures = 0.5;
  stuck(5min);
  EXPECT_FALSE(said_.empty());
  for (const Verdict& verdict : said_) EXPECT_EQ(verdict.type, Type::kProxyStuck);
}

TEST_F(Peers, OtherTroubleOfOneLeavesTheOthersJudged) {
  learn();
  proxies_[1].failures = 0.05;
  for (int i = 0; i < 60; ++i) {
    observe("proxy_heartbeat_age_seconds", 0, 6);
    run(1s);
  }
  EXPECT_EQ(active_.size(), 2U);
}

TEST_F(Peers, AnEndIsTheEndOfTheVerdict) {
  learn();
  proxies_[0].failures = 0.05;
  run(1min);
  EXPECT_EQ(active_.size(), 1U);
  observe("proxy_exited", 0, 1);
  proxies_[0].silent = true;
  run(2s);
  for (const Verdict& verdict : active_) EXPECT_EQ(verdict.type, Type::kProxyDead);
  said_.clear();
  observe("proxy_exited", 0, 0);
  proxies_[0] = Member();
  run(10min);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Peers, SilenceOfTheSeriesIsNoDifferenceAndEndsOne) {
  learn();
  proxies_[0].failures = 0.05;
  run(1min);
  EXPECT_EQ(active_.size(), 1U);
  proxies_[0].silent = true;
  run(70s);
  EXPECT_THAT(active_, IsEmpty());
}

TEST_F(Peers, AMemberThatLeftForGoodIsForgotten) {
  learn();
  const size_t before = detector_->series_count();
  proxies_[0].failures = 0.05;
  run(1min);
  proxies_[0].silent = true;
  detector_->forget({"amber", "p1", "", ""});
  run(2s);
  EXPECT_THAT(active_, IsEmpty());
  EXPECT_LT(detector_->series_count(), before);
}

TEST_F(Peers, WhatWasLearnedSurvivesARestart) {
  proxies_[1].connections = 800;
  proxies_[6].p99 = 0.006;
  learn();
  restart();
  run(10min);
  EXPECT_THAT(said_, IsEmpty());
  proxies_[6].p99 = 0.025;
  run(4min);
  ASSERT_FALSE(said_.empty()) << "without learning anew";
  EXPECT_EQ(said_[0].scope.proxy, "p7");
}

TEST_F(Peers, AMemoryOfBeforeIsRestoredAndABrokenOneRefused) {
  learn();
  boost::json::value memory = boost::json::parse(detector_->save());
  ASSERT_EQ(memory.at("differences").as_array().size(), 32U);
  Detector next{RuleSet()};
  boost::json::value broken = memory;
  broken.as_object()["differences"].as_array()[0].as_object()["ratio"] = 0;
  EXPECT_FALSE(next.restore(boost::json::serialize(broken), now_).ok());
  EXPECT_EQ(next.series_count(), 0U);
  memory.as_object().erase("differences");
  EXPECT_TRUE(next.restore(boost::json::serialize(memory), now_).ok());
}

TEST(PeerTimeline, OneFailingProxyOfFiveIsOneIncidentThatOpensAtOnce) {
  WorldOptions options;
  options.proxies = 5;
  options.rate = 60;
  World world(options);
  world.run_for(17min);
  ASSERT_EQ(world.incident_count(), 0U) << world.story();
  world.cluster("amber").proxies[3].failures = 0.03;
  world.run_for(40s);
  ASSERT_EQ(world.incident_count(), 1U) << world.story();
  EXPECT_EQ(world.only_incident()->state, State::kOpen);
  EXPECT_EQ(world.only_incident()->title, "Proxy amber-proxy-4 is unlike its peers");
  world.cluster("amber").proxies[3].failures = 0.0001;
  world.run_for(2min);
  EXPECT_EQ(world.only_incident()->state, State::kResolved) << world.story();
}

TEST(PeerTimeline, ASlowNetworkAtOneProxyIsNoSecondIncident) {
  WorldOptions options;
  options.proxies = 5;
  options.rate = 200;
  World world(options);
  world.run_for(17min);
  auto& amber = world.cluster("amber");
  amber.slow_on = [](size_t proxy, size_t) { return proxy == 2 ? 0.3 : 0.0; };
  amber.proxies[2].p99 = 0.015;
  amber.proxies[2].failures = 0.02;
  world.run_for(5min);
  ASSERT_EQ(world.incident_count(), 1U) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded);
}

}  // namespace
