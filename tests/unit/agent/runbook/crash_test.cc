// The engine is cut off at every point of its journal, and taken up again on the same store.
#include "tests/unit/agent/runbook/engine_fixture.h"

namespace agent::runbook {
namespace {

using namespace std::chrono_literals;

struct Case {
  const char* runbook;
  const char* param;
  const char* target;
};

// Runs the case, cut off at journal point number `cut` (from 0). False: there are no more points.
bool run_cut_at(const Case& what, int cut, bool blind, std::string* where) {
  EngineFixture fixture;
  fixture.facts.kill(what.target);
  if (blind) {
    for (const char* action :
         {"proxy.replace", "epoch.eject", "backend.replace", "backend.flush", "epoch.admit"}) {
      fixture.world.blind_probe(action);
    }
  }
  int at = 0;
  bool cut_off = false;
  fixture.start([&](const JournalPoint& point) {
    if (at++ != cut) return true;
    cut_off = true;
    *where = point.step + " " + point.what + (point.durable ? " written" : " about to be written");
    return false;
  });
  (void)fixture.run(what.runbook, what.param, what.target);
  fixture.settle();
  if (!cut_off) return false;

  fixture.start();
  EXPECT_TRUE(fixture.wait(fixture.engine->resume()).ok()) << *where;
  fixture.settle();
  const std::vector<Run> runs = fixture.engine->runs({}, 100);
  if (!runs.empty()) {  // else it was cut off before the run was durable
    const Run& run = runs.front();
    EXPECT_FALSE(run.live()) << *where;
    const bool ended = run.outcome == Outcome::kCompleted || run.outcome == Outcome::kHandedOver;
    EXPECT_TRUE(ended) << *where << ": " << to_string(run.outcome);
    const bool right = blind || run.outcome == Outcome::kCompleted;
    EXPECT_TRUE(right) << *where << ": " << run.message;
    auto shown = fixture.wait(fixture.engine->show(run.id));
    EXPECT_TRUE(shown.ok() && shown->at("audit_intact").as_bool()) << *where;
  } else {
    EXPECT_TRUE(fixture.world.effects.empty()) << *where;
  }
  EXPECT_LE(fixture.world.most_repeated(), 1) << *where;
  EXPECT_EQ(fixture.locks(), 0) << *where;
  return true;
}

int walk(const Case& what, bool blind) {
  int cut = 0;
  std::string where;
  while (run_cut_at(what, cut, blind, &where) && !testing::Test::HasFailure()) ++cut;
  return cut;
}

constexpr Case kProxy{"replace-proxy", "proxy", "amber-proxy-1"};
constexpr Case kBackend{"replace-backend", "backend", "amber-backend-1"};

TEST(Crash, EndsReplaceProxyFromEveryJournalPointAndActsOnce) {
  EXPECT_GE(walk(kProxy, false), 10);
}
TEST(Crash, HandsReplaceProxyOverWhenItsProbeCannotTell) {
  EXPECT_GE(walk(kProxy, true), 10);
}
TEST(Crash, EndsReplaceBackendFromEveryJournalPointAndActsOnce) {
  EXPECT_GE(walk(kBackend, false), 30);
}
TEST(Crash, HandsReplaceBackendOverWhenItsProbesCannotTell) {
  EXPECT_GE(walk(kBackend, true), 30);
}

TEST(Crash, NeverRepeatsAnActWhoseProbeCannotTell) {
  EngineFixture fixture;
  fixture.world.blind_probe("proxy.replace");
  fixture.start([](const JournalPoint& point) { return point.what != "acted"; });
  ASSERT_TRUE(fixture.run("replace-proxy", "proxy", "amber-proxy-1").ok());
  fixture.start();
  ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  EXPECT_EQ(fixture.newest().outcome, Outcome::kHandedOver);
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 1);
  EXPECT_NE(fixture.newest().message.find("cannot tell"), std::string::npos);
}

TEST(Crash, ActsAgainUnderTheSameKeyAndFenceWhenNothingHappened) {
  EngineFixture fixture;
  fixture.start([](const JournalPoint& point) { return point.what != "acting" || !point.durable; });
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  const auto fence = fixture.store.entries().at("/locks/cluster/amber").created;
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 0);
  fixture.start();
  ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  ASSERT_EQ(fixture.world.acts("proxy.replace"), 1);
  const ActionCall& call = fixture.world.calls.front().call;
  EXPECT_EQ(call.idempotency_key, id + "/replace");
  EXPECT_EQ(call.fence, fence);
}

// However long the agent was away, its guards' answers are as old as that.
TEST(Crash, AsksTheGuardsAgainBeforeItActsAgain) {
  for (const char* cut : {"intent", "acting"}) {
    EngineFixture fixture;
    fixture.start([cut](const JournalPoint& point) { return point.what != cut || !point.durable; });
    const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
    fixture.facts.set_telemetry_age(10s);
    fixture.start();
    ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
    fixture.settle();
    EXPECT_EQ(fixture.world.acts("proxy.replace"), 0) << cut;
    EXPECT_EQ(fixture.record(id).outcome, Outcome::kHandedOver) << cut;
    EXPECT_NE(fixture.record(id).message.find("telemetry_age is 10s"), std::string::npos)
        << fixture.record(id).message;
    auto shown = fixture.wait(fixture.engine->show(id)).value();
    EXPECT_EQ(shown.at("steps").as_array().front().at("state").as_string(), "failed") << cut;
    EXPECT_EQ(fixture.locks(), 0) << cut;
  }
}

TEST(Crash, AsksTheGuardsOnlyAboutWhatWasNotDone) {
  EngineFixture fixture;
  fixture.start([](const JournalPoint& point) { return point.what != "acted"; });
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.facts.set_telemetry_age(10s);
  fixture.start();
  ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 1);
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kCompleted);
}

TEST(Crash, DoesNotActAgainForARunThatWasAborted) {
  EngineFixture fixture;
  fixture.start([](const JournalPoint& point) { return point.what != "acting" || !point.durable; });
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  std::string document = *fixture.store.value("/runs/" + id);
  const std::string no = R"("abort_requested":false,"abort_by":"")";
  ASSERT_NE(document.find(no), std::string::npos) << document;
  document.replace(document.find(no), no.size(), R"("abort_requested":true,"abort_by":"ann")");
  fixture.store.set("/runs/" + id, document);
  fixture.start();
  ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  EXPECT_EQ(fixture.world.acts("proxy.replace"), 0);
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kAborted);
  EXPECT_NE(fixture.record(id).message.find("aborted by ann"), std::string::npos);
}

TEST(Crash, KeepsTheTextThatTheRunStartedWith) {
  EngineFixture fixture;
  fixture.start([](const JournalPoint& point) { return point.what != "intent" || !point.durable; });
  ASSERT_TRUE(fixture.run("replace-proxy", "proxy", "amber-proxy-1").ok());
  for (SourceText& source : fixture.sources) {
    const size_t at = source.text.find("proxy.replace\n    with: {proxy: ${proxy}}");
    if (at != std::string::npos) source.text.replace(at, 13, "proxy.drain  ");
  }
  fixture.start();
  ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  EXPECT_EQ(fixture.world.happened("proxy.replace"), 1);
  EXPECT_EQ(fixture.world.happened("proxy.drain"), 0);
}

TEST(Crash, HandsOverARunWhoseTextWasChangedInTheStore) {
  EngineFixture fixture;
  fixture.start([](const JournalPoint& point) { return point.what != "intent" || !point.durable; });
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  std::string plan = *fixture.store.value("/runs/" + id + "/plan");
  plan.replace(plan.find("keys_per_backend: 3"), 19, "keys_per_backend: 4");
  fixture.store.set("/runs/" + id + "/plan", plan);
  fixture.start();
  EXPECT_FALSE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kHandedOver);
  EXPECT_TRUE(fixture.world.effects.empty());
}

TEST(Crash, TouchesNothingWhenItsLockBelongsToSomebodyElse) {
  EngineFixture fixture;
  fixture.start([](const JournalPoint& point) { return point.what != "intent" || !point.durable; });
  const std::string id = fixture.run("replace-proxy", "proxy", "amber-proxy-1").value();
  fixture.store.set("/locks/cluster/amber", R"({"run":"run-other"})");
  fixture.start();
  EXPECT_FALSE(fixture.wait(fixture.engine->resume()).ok());
  fixture.settle();
  EXPECT_EQ(fixture.record(id).outcome, Outcome::kHandedOver);
  EXPECT_TRUE(fixture.world.effects.empty());
  EXPECT_EQ(fixture.locks(), 1);
}

TEST(Crash, ResumesAnUndoWhereItStopped) {
  for (const char* cut : {"undoing", "undo_acted", "undone"}) {
    EngineFixture fixture;
    fixture.sources.push_back(SourceText("two.yaml", R"(runbook: two
class: reversible
steps:
  - {id: one, do: thing.make, with: {name: a}, undo: {do: thing.remove, with: {name: a}}}
  - {id: two, do: thing.make, with: {name: b}, undo: {do: thing.remove, with: {name: b}}}
)"));
    fixture.start([cut](const JournalPoint& point) { return point.what != cut; });
    fixture.world.answer_next("thing.make", {});
    fixture.world.fail_next("thing.make", base::ErrorCode::kRefused);
    base::Result<Plan> plan = fixture.wait(fixture.engine->plan("two", {}, RunRequest()));
    ASSERT_TRUE(fixture.wait(fixture.engine->run(std::move(*plan), RunRequest())).ok());
    fixture.settle();
    fixture.start();
    ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
    fixture.settle();
    EXPECT_EQ(fixture.newest().outcome, Outcome::kUndone) << cut;
    EXPECT_EQ(fixture.world.happened("thing.remove"), 1) << cut;
  }
}

}  // namespace
}  // namespace agent::runbook
