// What the engine does about an incident, on virtual time.
#include "tests/unit/agent/runbook/engine_fixture.h"

namespace agent::runbook {
namespace {

using namespace std::chrono_literals;

TEST(Respond, StartsThePolicysRunbookForTheScope) {
  EngineFixture fixture;
  fixture.facts.kill("amber-proxy-1");
  auto report = fixture.wait(fixture.engine->respond(fixture.proxy_dead("inc-1", "amber-proxy-1")));
  ASSERT_FALSE(report.run.empty()) << report.text;
  fixture.settle();
  EXPECT_EQ(fixture.record(report.run).outcome, Outcome::kCompleted);
  EXPECT_EQ(fixture.record(report.run).incident, "inc-1");
}

TEST(Respond, StartsOneRunHoweverOftenItIsAsked) {
  EngineFixture fixture;
  fixture.facts.kill("amber-proxy-1");
  const auto incident = fixture.proxy_dead("inc-1", "amber-proxy-1");
  ASSERT_FALSE(fixture.wait(fixture.engine->respond(incident)).run.empty());
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(fixture.wait(fixture.engine->respond(incident)).run.empty());
    fixture.settle(500ms);
  }
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 1);
}

TEST(Respond, RestoresTheDeadOnesWhenFailuresAreCorrelated) {
  EngineFixture fixture;
  fixture.facts.kill("amber-proxy-1");
  fixture.facts.kill("amber-proxy-2");
  auto report = fixture.wait(fixture.engine->respond(fixture.proxy_dead("inc-1", "amber-proxy-1")));
  ASSERT_FALSE(report.run.empty()) << report.text;
  fixture.settle();
  EXPECT_EQ(fixture.record(report.run).runbook, "restore-proxies");
  EXPECT_EQ(fixture.world.happened("proxy.replace"), 2);
  EXPECT_EQ(fixture.world.most_repeated(), 1);
}

TEST(Respond, ReplacesNothingOneByOneWhenTwoClustersAreInTrouble) {
  EngineFixture fixture;
  fixture.facts.stop("amber-proxy-1");
  fixture.facts.stop("birch-proxy-1");
  auto incident = fixture.proxy_dead("inc-1", "amber-proxy-1");
  incident.type = incident::Type::kProxyStuck;
  const auto report = fixture.wait(fixture.engine->respond(incident));
  EXPECT_TRUE(report.run.empty());
  EXPECT_NE(
      report.text.find("nothing is replaced one by one, and restore-proxies, which takes over, "
                       "does nothing (step restore selects nothing"),
      std::string::npos)
      << report.text;
  EXPECT_TRUE(fixture.world.calls.empty());
}

TEST(Respond, CoolsDownAfterAVerifiedRun) {
  EngineFixture fixture;
  ASSERT_FALSE(fixture.wait(fixture.engine->respond(fixture.proxy_dead("inc-1", "amber-proxy-1")))
                   .run.empty());
  fixture.settle(5s);  // the run ends, the cooldown does not
  const auto held =
      fixture.wait(fixture.engine->respond(fixture.proxy_dead("inc-2", "amber-proxy-1")));
  EXPECT_EQ(held.hold, Hold::kCooldown) << held.text;
  fixture.settle(20s);
  EXPECT_FALSE(fixture.wait(fixture.engine->respond(fixture.proxy_dead("inc-3", "amber-proxy-1")))
                   .run.empty());
}

TEST(Respond, ReplacesOneProxyAfterTheOtherOnAGameDay) {
  EngineFixture fixture;
  fixture.policy = read_source("rules/policy-gameday.yaml");
  fixture.start();
  for (int i = 0; i < 20; ++i) {
    const std::string proxy = i % 2 == 0 ? "amber-proxy-1" : "amber-proxy-2";
    fixture.facts.forget_symptoms();
    fixture.facts.kill(proxy);
    const auto report = fixture.wait(
        fixture.engine->respond(fixture.proxy_dead("inc-" + std::to_string(i), proxy)));
    ASSERT_FALSE(report.run.empty()) << i << ": " << report.text;
    fixture.facts.revive(proxy);
    fixture.settle(6s);
    ASSERT_EQ(fixture.record(report.run).outcome, Outcome::kCompleted);
  }
}

TEST(Respond, LeavesAnIncidentToThePersonItWasHandedTo) {
  EngineFixture fixture;
  for (int i = 0; i < 9; ++i) {
    fixture.world.fail_next("proxy.replace", base::ErrorCode::kUnavailable);
  }
  const auto incident = fixture.proxy_dead("inc-1", "amber-proxy-1");
  const auto report = fixture.wait(fixture.engine->respond(incident));
  fixture.settle(10min);
  EXPECT_EQ(fixture.record(report.run).outcome, Outcome::kHandedOver);
  EXPECT_EQ(fixture.wait(fixture.engine->respond(incident)).hold, Hold::kHandedOver);
}

TEST(Respond, CallsAPersonOnceAboutWhatItCannotCure) {
  EngineFixture fixture;
  fixture.answer("evidence.gather", "file", "ev-1.json");
  incident::Incident incident;
  incident.id = "inc-1";
  incident.type = incident::Type::kNetworkDegraded;
  incident.scope.cluster = "amber";
  incident.title = "The network of amber is slow";
  incident.state = incident::State::kOpen;
  incident.started = fixture.clock.wall();
  for (int i = 0; i < 5; ++i) {
    (void)fixture.wait(fixture.engine->respond(incident));
    fixture.settle(30s);
  }
  ASSERT_EQ(fixture.world.acts("notify.page"), 1);
  EXPECT_EQ(fixture.world.calls.back().call.with.at("text").as_string(),
            "The network of amber is slow (evidence: ev-1.json)");
  EXPECT_FALSE(fixture.world.calls.front().call.with.contains("proxy"));
}

TEST(Respond, WaitsWhileTheIncidentIsOnlySuspected) {
  EngineFixture fixture;
  auto incident = fixture.proxy_dead("inc-1", "amber-proxy-1");
  incident.state = incident::State::kSuspected;
  EXPECT_EQ(fixture.wait(fixture.engine->respond(incident)).hold, Hold::kHoldDown);
}

}  // namespace
}  // namespace agent::runbook
