#include "agent/runbook/engine.h"

#include <boost/json/serialize.hpp>

#include "tests/unit/agent/runbook/engine_fixture.h"

namespace agent::runbook {
namespace {

using base::ErrorCode;
using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

boost::json::object not_ok() {
  boost::json::object value;
  value["ok"] = false;
  value["reason"] = "no answer from amber-backend-2";
  return value;
}

TEST(Engine, ReplacesADeadProxyWithoutWaitingFirst) {
  EngineFixture fixture;
  fixture.facts.kill("amber-proxy-1");
  const base::Instant before = fixture.clock.now();
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.timers.run_ready();
  EXPECT_EQ(fixture.world.happened("proxy.replace"), 1);
  EXPECT_LT(fixture.clock.now() - before, 100ms);
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kCompleted);
  EXPECT_TRUE(fixture.listener.heard("replace: canary.data_path holds"));
}

TEST(Engine, HoldsItsLockWhileItLivesAndNamesItToTheSecond) {
  EngineFixture fixture;
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  EXPECT_EQ(fixture.engine->active().at("cluster/amber"), id);
  const auto second = fixture.run("replace-backend", "backend", "amber-backend-1");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), ErrorCode::kConflict);
  EXPECT_NE(second.error().context.find(id), std::string::npos);
  EXPECT_TRUE(fixture.run("replace-backend", "backend", "birch-backend-1").ok());
  fixture.settle();
  EXPECT_EQ(fixture.locks(), 0);
  EXPECT_TRUE(fixture.engine->active().empty());
}

TEST(Engine, GivesLaterRunsHigherFences) {
  EngineFixture fixture;
  ASSERT_TRUE(fixture.run("flush", "target", "cache/12").code() == ErrorCode::kInvalid);
  ASSERT_TRUE(fixture.run("replace-proxy", "proxy", "amber-proxy-1").ok());
  fixture.settle();
  ASSERT_TRUE(fixture.run("replace-backend", "backend", "amber-backend-1").ok());
  fixture.settle();
  const auto& effects = fixture.world.effects;
  EXPECT_LT(effects.front().call.fence, effects.back().call.fence);
  EXPECT_GT(effects.front().call.fence, 0u);
}

TEST(Engine, TakesABackendOutReplacesEmptiesAndReadmitsIt) {
  EngineFixture fixture;
  fixture.facts.stop("amber-backend-1");
  ASSERT_TRUE(fixture.run("replace-backend", "backend", "amber-backend-1").ok());
  fixture.settle();
  Strings acts;
  for (const std::string& name : fixture.world.names()) {
    if (name != "canary.data_path") acts.push_back(name);
  }
  EXPECT_EQ(acts, (Strings{"epoch.eject", "backend.await", "backend.replace", "backend.flush",
                           "epoch.admit"}));
  EXPECT_EQ(fixture.world.effects[1].call.with.at("for").as_string(), "3s");
}

TEST(Engine, KeepsABackendThatRecoversAndStillEmptiesIt) {
  EngineFixture fixture;
  fixture.answer("backend.await", "state", "recovered");
  const std::string id = fixture.run("replace-backend", "backend", "amber-backend-1").value();
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kCompleted);
  EXPECT_EQ(fixture.world.acts("backend.replace"), 0);
  EXPECT_EQ(fixture.world.happened("backend.flush"), 1);
}

TEST(Engine, RefusesWhenAGuardSaysNoAndSaysWhy) {
  EngineFixture fixture;
  fixture.facts.set_load("amber", 0.5);
  const auto plan = fixture.plan("replace-proxy", "proxy", "amber-proxy-1");
  EXPECT_EQ(plan->hold, Hold::kGuard);
  EXPECT_EQ(plan->guards[1].answer, Truth::kNo);
  EXPECT_EQ(plan->guards[1].reason, "target.dead is false, load_after is 1");
  const auto refused = fixture.run("replace-proxy", "proxy", "amber-proxy-1");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), ErrorCode::kRefused);
  EXPECT_TRUE(fixture.world.calls.empty());
}

// One that disturbs nobody has no guards but those that are written for it.
TEST(Engine, AsksAStepsOwnGuardsWhateverTheStepDoes) {
  EngineFixture fixture;
  fixture.sources.push_back(SourceText("two.yaml", R"(runbook: two
params: {cluster: {type: cluster, required: true}}
class: reversible
guards: [load_after <= 70%]
steps:
  - {id: one, do: thing.make, with: {name: a}, undo: {do: thing.remove, with: {name: a}}}
  - {id: two, do: thing.make, with: {name: b}, undo: {do: thing.remove, with: {name: b}}, guards: [telemetry_age <= 5s]}
)"));
  fixture.start();
  fixture.facts.set_telemetry_age(6s);
  const std::string id = fixture.run("two", "cluster", "amber").value();
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kUndone);
  EXPECT_EQ(fixture.record(id).message.find("two: the guard \"telemetry_age <= 5s\" says no"), 0u)
      << fixture.record(id).message;
  EXPECT_EQ(fixture.world.happened("thing.make"), 1);
  EXPECT_EQ(fixture.world.happened("thing.remove"), 1);
}

TEST(Engine, DoesNotLetCapacityGuardsKeepADeadProxyDead) {
  EngineFixture fixture;
  fixture.facts.set_load("amber", std::nullopt);
  fixture.facts.kill("amber-proxy-1");
  fixture.facts.stop("amber-proxy-2");
  fixture.facts.forget_symptoms();
  EXPECT_EQ(fixture.plan("replace-proxy", "proxy", "amber-proxy-1")->hold, Hold::kNone);
  EXPECT_EQ(fixture.plan("replace-proxy", "proxy", "amber-proxy-2")->hold, Hold::kGuard);
}

TEST(Engine, AsksTheGuardsAgainBeforeEachDisruptiveStep) {
  EngineFixture fixture;
  fixture.start([&](const JournalPoint& point) {
    if (point.step == "await" && point.what == "observed" && point.durable) {
      fixture.facts.set_telemetry_age(10s);
    }
    return true;
  });
  const std::string id = fixture.run("replace-backend", "backend", "amber-backend-1").value();
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kHandedOver);
  EXPECT_NE(fixture.record(id).message.find("telemetry_age is 10s"), std::string::npos);
  EXPECT_EQ(fixture.world.acts("backend.replace"), 0);
}

TEST(Engine, RetriesOnlyWhatCertainlyDidNothing) {
  EngineFixture fixture;
  fixture.world.fail_next("proxy.replace", ErrorCode::kUnavailable);
  fixture.world.fail_next("proxy.replace", ErrorCode::kUnavailable);
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.settle();
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 3);
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kCompleted);
}

TEST(Engine, HandsOverAfterTheLastRetry) {
  EngineFixture fixture;
  for (int i = 0; i < 9; ++i) fixture.world.fail_next("proxy.replace", ErrorCode::kUnavailable);
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.settle(5min);
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 9);
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kHandedOver);
  EXPECT_NE(fixture.record(id).message.find("nothing was changed"), std::string::npos);
}

TEST(Engine, AsksTheProbeAfterAnUnclearAnswerAndDoesNotRepeat) {
  for (const bool happened : {true, false}) {
    EngineFixture fixture;
    fixture.world.fail_next("proxy.replace", ErrorCode::kTimeout, happened);
    const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
    fixture.settle();
    EXPECT_EQ(fixture.world.acts("proxy.replace"), 1);
    const Outcome expected = happened ? Outcome::kCompleted : Outcome::kHandedOver;
    EXPECT_EQ(fixture.record(id).outcome, expected);
  }
}

TEST(Engine, HandsOverWhenVerifyNeverHoldsLongEnough) {
  EngineFixture fixture;
  for (int i = 0; i < 40; ++i) {  // holds, but never for three seconds
    for (int n = 0; n < 5; ++n) fixture.world.answer_next("canary.data_path", {});
    fixture.world.answer_next("canary.data_path", not_ok());
  }
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kHandedOver);
  EXPECT_NE(fixture.record(id).message.find("not verified"), std::string::npos);
}

TEST(Engine, TellsFailedFromInconclusiveVerification) {
  EngineFixture fixture;
  for (int i = 0; i < 200; ++i) fixture.world.fail_next("canary.data_path", ErrorCode::kTimeout);
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.settle();
  EXPECT_NE(fixture.record(id).message.find("inconclusive"), std::string::npos);
}

TEST(Engine, WaitsForAPersonWhenThePolicySaysSo) {
  EngineFixture fixture;
  const std::string id =
      fixture
          .run("replace-proxy", "proxy", "amber-proxy-1", RunRequest("", "policy", Mode::kApprove))
          .value();
  fixture.settle(10s);
  EXPECT_EQ(fixture.record(id).state, RunState::kAwaitingApproval);
  EXPECT_TRUE(fixture.world.calls.empty());
  EXPECT_EQ(fixture.locks(), 0);
  ASSERT_TRUE(fixture.wait(fixture.engine->approve(id, "ann")).ok());
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kCompleted);
  EXPECT_EQ(fixture.record(id).approved_by, "ann");
}

TEST(Engine, WaitsForAPersonAcrossARestart) {
  EngineFixture fixture;
  const std::string id =
      fixture
          .run("replace-proxy", "proxy", "amber-proxy-1", RunRequest("", "policy", Mode::kApprove))
          .value();
  fixture.start();
  ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  ASSERT_TRUE(fixture.wait(fixture.engine->approve(id, "ann")).ok());
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kCompleted);
}

TEST(Engine, GivesUpWhenNobodyApproves) {
  EngineFixture fixture;
  const std::string id =
      fixture
          .run("replace-proxy", "proxy", "amber-proxy-1", RunRequest("", "policy", Mode::kApprove))
          .value();
  fixture.settle(6min);
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kAborted);
  EXPECT_TRUE(fixture.world.calls.empty());
}

TEST(Engine, AsksAPersonWhenTheEvidenceIsWeak) {
  EngineFixture fixture;
  RunRequest request("", "policy", Mode::kAuto);
  request.confidence = 0.5;
  const std::string id =
      fixture.run("replace-proxy", "proxy", "amber-proxy-1", std::move(request)).value();
  EXPECT_EQ(fixture.record(id).state, RunState::kAwaitingApproval);
  ASSERT_TRUE(fixture.wait(fixture.engine->abort(id, "ann")).ok());
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kAborted);
}

TEST(Engine, OnlyRecordsInShadowAndSuggestModes) {
  for (const Mode mode : {Mode::kShadow, Mode::kSuggest}) {
    EngineFixture fixture;
    const std::string id =
        fixture.run("replace-proxy", "proxy", "amber-proxy-1", RunRequest("", "policy", mode))
            .value();
    fixture.settle();
    const Outcome expected = mode == Mode::kShadow ? Outcome::kShadowed : Outcome::kSuggested;
    EXPECT_EQ(fixture.record(id).outcome, expected);
    EXPECT_TRUE(fixture.world.calls.empty());
  }
}

TEST(Engine, StopsAtTheNextStepWhenAborted) {
  EngineFixture fixture;
  std::string id;
  fixture.start([&](const JournalPoint& point) {
    if (point.step == "eject" && point.what == "observed" && point.durable) {
      boost::asio::co_spawn(fixture.io, fixture.engine->abort(point.run, "ann"),
                            [](std::exception_ptr, base::Result<>) {});
    }
    return true;
  });
  id = fixture.run("replace-backend", "backend", "amber-backend-1").value();
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kHandedOver);
  EXPECT_NE(fixture.record(id).message.find("aborted by ann"), std::string::npos);
  EXPECT_EQ(fixture.world.acts("backend.replace"), 0);
  EXPECT_EQ(fixture.locks(), 0);
}

TEST(Engine, DoesNothingThatItCannotJournalFirst) {
  EngineFixture fixture;
  fixture.store.set_away(true);
  EXPECT_FALSE(fixture.run("replace-proxy", "proxy", "amber-proxy-1").ok());
  EXPECT_TRUE(fixture.world.calls.empty());
}

TEST(Engine, GoesOnWhenTheStoreRefusesAWriteAndAnswersTheNext) {
  using Fault = test::FakeStore::Fault;
  for (const Fault fault : {Fault::kBeforeCommit, Fault::kAfterCommit}) {
    for (int at = 0; at < 6; ++at) {
      EngineFixture fixture;
      std::vector<Fault> faults(static_cast<size_t>(at), Fault::kNone);
      faults.push_back(fault);
      fixture.store.script(faults);
      const auto id = fixture.run("replace-proxy", "proxy", "amber-proxy-1");
      ASSERT_TRUE(id.ok()) << id.error().to_string();
      fixture.settle();
      EXPECT_EQ(fixture.record(*id).outcome, Outcome::kCompleted);
      EXPECT_EQ(fixture.world.happened("proxy.replace"), 1);
    }
  }
}

// The first write took place, nobody was told, and it could not be read back: with the run its lock
// is in the store.
TEST(Engine, LeavesNoStartBehindOfWhichItDoesNotKnow) {
  for (const int lost_reads : {2, 3}) {
    EngineFixture fixture;
    fixture.start([&](const JournalPoint& point) {
      if (point.what != "started" || point.durable) return true;
      fixture.store.script({test::FakeStore::Fault::kAfterCommit});
      fixture.store.lose_reads(lost_reads);
      return true;
    });
    const auto begun = fixture.run("replace-proxy", "proxy", "amber-proxy-1");
    ASSERT_FALSE(begun.ok());
    EXPECT_EQ(begun.code(), ErrorCode::kUnknown) << begun.error().to_string();
    EXPECT_EQ(fixture.locks(), 1);
    EXPECT_TRUE(fixture.listener.heard("suspended")) << "so that somebody calls resume()";
    EXPECT_TRUE(fixture.world.calls.empty());
    ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
    fixture.settle();
    EXPECT_EQ(fixture.newest().outcome, Outcome::kCompleted);
    EXPECT_EQ(fixture.world.acts("proxy.replace"), 1);
    EXPECT_EQ(fixture.locks(), 0);
  }
}

TEST(Engine, SaysThatNothingWasDoneWhenTheStoreHasNoTraceOfTheStart) {
  EngineFixture fixture;
  fixture.start([&](const JournalPoint& point) {
    if (point.what == "started") {
      fixture.store.script(
          std::vector<test::FakeStore::Fault>(10, test::FakeStore::Fault::kBeforeCommit));
    }
    return true;
  });
  const auto begun = fixture.run("replace-proxy", "proxy", "amber-proxy-1");
  ASSERT_FALSE(begun.ok());
  EXPECT_EQ(begun.code(), ErrorCode::kUnavailable);
  EXPECT_NE(begun.error().context.find("nothing was done"), std::string::npos);
  EXPECT_FALSE(fixture.listener.heard("suspended"));
}

TEST(Engine, SuspendsARunWhileTheStoreIsAwayAndResumesIt) {
  EngineFixture fixture;
  fixture.start([&](const JournalPoint& point) {
    if (point.what == "acted") fixture.store.set_away(true);
    return true;
  });
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.settle();
  EXPECT_TRUE(fixture.listener.heard("suspended"));
  fixture.store.set_away(false);
  ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kCompleted);
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 1);
}

TEST(Engine, ShowsPlanStepsAndAnIntactAuditChain) {
  EngineFixture fixture;
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.settle();
  auto shown = fixture.wait(fixture.engine->show(id)).value();
  EXPECT_EQ(shown.at("plan").at("targets").at("proxy").at("cluster").as_string(), "amber");
  EXPECT_EQ(shown.at("plan").at("guards").as_array().size(), 5u);
  EXPECT_EQ(shown.at("steps").as_array().front().at("state").as_string(), "verified");
  EXPECT_TRUE(shown.at("audit_intact").as_bool());
  std::string entry = *fixture.store.value("/runs/" + id + "/audit/000002");
  entry.replace(entry.find("intent"), 6, "INTENT");
  fixture.store.set("/runs/" + id + "/audit/000002", entry);
  shown = fixture.wait(fixture.engine->show(id)).value();
  EXPECT_FALSE(shown.at("audit_intact").as_bool());
}

TEST(Engine, KeepsTheOldRunbooksWhenAReloadFails) {
  EngineFixture fixture;
  const auto done =
      fixture.engine->load({SourceText("bad.yaml", "runbook: x\nclass: y\n")}, fixture.policy);
  EXPECT_FALSE(done.ok());
  EXPECT_NE(fixture.engine->library().find("replace-proxy"), nullptr);
}

TEST(Engine, SpendsItsBudgetAndNoMore) {
  EngineFixture fixture;
  const size_t at = fixture.policy.text.find("cluster: 6");
  fixture.policy.text.replace(at, 10, "cluster: 1");
  fixture.start();
  ASSERT_TRUE(fixture.run("replace-proxy", "proxy", "amber-proxy-1").ok());
  fixture.settle();
  const auto second = fixture.run("replace-backend", "backend", "amber-backend-1");
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().context.find("1 of 1 disruptive runs of the cluster"),
            std::string::npos);
  fixture.clock.advance(2h);
  EXPECT_TRUE(fixture.run("replace-backend", "backend", "amber-backend-1").ok());
}

}  // namespace
}  // namespace agent::runbook
