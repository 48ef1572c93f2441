// From a sample to a resolved incident, on virtual time.
#include "tests/unit/agent/app/watch_bench.h"

namespace agent::app {
namespace {

using namespace std::chrono_literals;
using Fault = test::FakeStore::Fault;

TEST(Watch, TurnsTheEndOfAProxyIntoOneRunAndAResolvedIncident) {
  WatchBench bench;
  bench.start();
  bench.timers.run_for(1s);
  bench.proxy("amber-proxy-1", true);
  EXPECT_EQ(bench.agent->book.unresolved().size(), 1u) << "an end is proof; it needs no tick";
  bench.timers.run_for(300ms);
  EXPECT_EQ(bench.world.happened("proxy.replace"), 1);
  bench.proxy("amber-proxy-1", false);
  bench.timers.run_for(60s);

  const auto stored = bench.stored();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].type, incident::Type::kProxyDead);
  EXPECT_EQ(stored[0].state, incident::State::kResolved);
  EXPECT_EQ(stored[0].runs.size(), 1u);
  EXPECT_EQ(bench.world.acts("proxy.replace"), 1);
  EXPECT_EQ(bench.times_told("person is needed"), 0u);
  EXPECT_GT(bench.changes, 0);
  EXPECT_EQ(bench.agent->counters.incidents_opened["proxy_dead"], 1u);
}

TEST(Watch, KeepsOneIncidentThroughARestart) {
  WatchBench bench;
  bench.start_and_lose_a_proxy(400ms);
  bench.start();
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(2s);
  bench.proxy("amber-proxy-1", false);
  bench.timers.run_for(90s);
  ASSERT_EQ(bench.stored().size(), 1u);
  EXPECT_EQ(bench.stored()[0].state, incident::State::kResolved);
  EXPECT_EQ(bench.world.happened("proxy.replace"), 1);
}

TEST(Watch, AnAlertFromOutsideGathersEvidenceAndOutlivesARestart) {
  WatchBench bench;
  bench.start();
  incident::Alert alert;
  alert.fingerprint = "ab12";
  alert.name = "Slow";
  alert.scope.cluster = "amber";
  alert.starts = bench.clock.wall();
  const incident::Moment at{bench.clock.now(), bench.clock.wall()};
  ASSERT_TRUE(bench.agent->alerts.receive({alert}, at).ok());
  bench.timers.run_for(5s);
  ASSERT_EQ(bench.stored().size(), 1u);
  EXPECT_EQ(bench.stored()[0].title, "Slow");
  EXPECT_EQ(bench.world.happened("evidence.gather"), 1);
  bench.start();
  bench.timers.run_for(60s);
  ASSERT_EQ(bench.stored().size(), 1u);
  EXPECT_NE(bench.stored()[0].state, incident::State::kResolved);
  alert.firing = false;
  ASSERT_TRUE(
      bench.agent->alerts.receive({alert}, incident::Moment{bench.clock.now(), bench.clock.wall()})
          .ok());
  bench.timers.run_for(60s);
  EXPECT_EQ(bench.stored()[0].state, incident::State::kResolved);
}

// The run ended, the incident was about to: a new run would replace a proxy that is well.
TEST(Watch, ActsAgainAfterARestartOnlyOnTroubleThatShows) {
  WatchBench bench;
  bench.start_and_lose_a_proxy(1s);
  ASSERT_EQ(bench.world.acts("proxy.replace"), 1);
  const auto before_the_end = bench.store.value("/incidents/" + bench.stored()[0].id);
  bench.proxy("amber-proxy-1", false);
  bench.timers.run_for(8s);
  bench.store.set("/incidents/" + bench.stored()[0].id, *before_the_end);
  bench.start();
  bench.proxy("amber-proxy-1", false);
  bench.timers.run_for(60s);
  EXPECT_EQ(bench.world.acts("proxy.replace"), 1);
  ASSERT_EQ(bench.stored().size(), 1u);
  EXPECT_EQ(bench.stored()[0].state, incident::State::kResolved);
}

TEST(Watch, StoresTheIncidentBeforeItsRunBegins) {
  WatchBench bench;
  bench.start();
  bench.timers.run_for(1s);
  bench.store.set_away(true);
  bench.proxy("amber-proxy-1", true);
  bench.store.set_away(false);
  EXPECT_TRUE(bench.stored().empty());
  for (int i = 0; i < 3000 && bench.world.acts("proxy.replace") == 0; ++i) {
    bench.timers.run_for(1ms);
  }
  ASSERT_EQ(bench.world.acts("proxy.replace"), 1);
  EXPECT_EQ(bench.stored().size(), 1u);
}

TEST(Watch, WritesAgainWhatTheStoreRefused) {
  WatchBench bench;
  bench.policy.replace(bench.policy.find("    mode: auto"), 14, "    mode: shadow");
  bench.start();
  bench.store.set_away(true);
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(5s);
  EXPECT_TRUE(bench.stored().empty());
  bench.store.set_away(false);
  bench.timers.run_for(1s);
  EXPECT_EQ(bench.stored().size(), 1u);
}

TEST(Watch, TakesUpARunThatTheStoreLeftStanding) {
  WatchBench bench;
  bench.start_and_lose_a_proxy(200ms);
  ASSERT_EQ(bench.world.happened("proxy.replace"), 1);
  bench.store.set_away(true);  // while it verifies
  bench.timers.run_for(20s);
  bench.store.set_away(false);
  bench.proxy("amber-proxy-1", false);
  bench.timers.run_for(150s);
  ASSERT_EQ(bench.stored().size(), 1u);
  EXPECT_EQ(bench.stored()[0].state, incident::State::kResolved);
  EXPECT_EQ(bench.times_told("will be taken up again"), 1u);
  const auto runs = bench.agent->engine.runs();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].outcome, runbook::Outcome::kCompleted);
  EXPECT_EQ(bench.world.happened("proxy.replace"), 1);
}

// Before anything is measured no guard lets a run go on, and it would be handed over for good.
TEST(Watch, TakesUpTheRunsOfAnEarlierAgentOnceThereAreFigures) {
  WatchBench bench;
  bench.start_and_lose_a_proxy(200ms);  // it verifies
  ASSERT_EQ(bench.world.happened("proxy.replace"), 1);
  bench.measured = false;
  bench.start();
  bench.timers.run_for(1s);
  EXPECT_TRUE(bench.agent->engine.runs().empty());
  bench.measured = true;
  bench.timers.run_for(200ms);
  ASSERT_EQ(bench.agent->engine.runs().size(), 1u);
  EXPECT_TRUE(bench.agent->engine.runs()[0].live());
}

TEST(Watch, TakesUpTheRunsOfAnEarlierAgentAfterAWhileAlsoWithoutFigures) {
  WatchBench bench;
  bench.start_and_lose_a_proxy(200ms);
  ASSERT_EQ(bench.world.happened("proxy.replace"), 1);
  bench.measured = false;
  bench.start();
  bench.timers.run_for(2900ms);
  EXPECT_TRUE(bench.agent->engine.runs().empty());
  bench.timers.run_for(200ms);
  EXPECT_EQ(bench.agent->engine.runs().size(), 1u);
}

TEST(Watch, CallsAPersonOnceWhenNothingMayBeDone) {
  WatchBench bench;
  bench.start();
  bench.facts.set_telemetry_age(60s);
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(60s);
  EXPECT_EQ(bench.world.acts("proxy.replace"), 0);
  EXPECT_EQ(bench.times_told("A person is needed"), 1u);
}

TEST(Watch, CallsNobodyAboutARefusalThatIsGoneAtOnce) {
  WatchBench bench;
  bench.start();
  bench.facts.set_telemetry_age(60s);
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(500ms);
  bench.facts.set_telemetry_age(100ms);
  bench.timers.run_for(2s);
  EXPECT_EQ(bench.world.happened("proxy.replace"), 1);
  EXPECT_EQ(bench.times_told("A person is needed"), 0u);
}

TEST(Watch, DoesNotRepeatAfterARestartWhatWasHandedOver) {
  WatchBench bench;
  bench.world.fail_next("proxy.replace", base::ErrorCode::kUnknown);
  bench.world.blind_probe("proxy.replace");
  bench.start_and_lose_a_proxy(10s);
  ASSERT_EQ(bench.agent->engine.runs()[0].outcome, runbook::Outcome::kHandedOver);
  bench.start();
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(10s);
  EXPECT_EQ(bench.world.acts("proxy.replace"), 1);
}

TEST(Watch, AShadowRunLeavesTheIncidentOpenAndTellsNobody) {
  WatchBench bench;
  bench.policy.replace(bench.policy.find("    mode: auto"), 14, "    mode: shadow");
  bench.start();
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(10s);
  ASSERT_EQ(bench.stored().size(), 1u);
  EXPECT_EQ(bench.stored()[0].state, incident::State::kOpen);
  EXPECT_EQ(bench.times_told("person is needed"), 0u);
  EXPECT_EQ(bench.world.acts("proxy.replace"), 0);
}

TEST(Watch, ASuggestedRunIsSaidOnce) {
  WatchBench bench;
  bench.policy.replace(bench.policy.find("    mode: auto"), 14, "    mode: suggest");
  bench.start();
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(20s);
  EXPECT_EQ(bench.stored().at(0).state, incident::State::kOpen);
  EXPECT_EQ(bench.times_told("Suggested, not done"), 1u);
}

TEST(Watch, ARunThatWaitsForAPersonIsNoMitigation) {
  WatchBench bench;
  bench.policy.replace(bench.policy.find("    mode: auto"), 14, "    mode: approve");
  bench.start();
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(2s);
  EXPECT_EQ(bench.stored().at(0).state, incident::State::kOpen);
  EXPECT_EQ(bench.times_told("waits for a person"), 1u);
  const std::string run = bench.agent->engine.runs().at(0).id;
  EXPECT_TRUE(bench.run(bench.agent->engine.approve(run, "ann")).ok());
  bench.timers.run_for(500ms);
  EXPECT_EQ(bench.stored().at(0).state, incident::State::kMitigating);
  EXPECT_EQ(bench.world.happened("proxy.replace"), 1);
}

TEST(Watch, ProcessesEndedOnPurposeAreNoIncidents) {
  WatchBench bench;
  bench.start();
  bench.agent->watch.stop();
  bench.proxy("amber-proxy-1", true);
  bench.timers.run_for(5s);
  EXPECT_TRUE(bench.agent->book.unresolved().empty());
}

TEST(Watch, LeavesOutADocumentThatCannotBeRead) {
  WatchBench bench;
  bench.store.set("/incidents/inc-1", "{");
  bench.store.set("/learned", "nonsense");
  bench.start();
  EXPECT_TRUE(bench.agent->book.unresolved().empty());
}

}  // namespace
}  // namespace agent::app
