#include "agent/coord/tables.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/coord/bench.h"

namespace agent::coord {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Tables, BringUpAFreshRegionWithTheFirstEpoch) {
  Bench bench;
  bench.start_and_settle();
  std::string waiting;
  EXPECT_TRUE(bench.coordinator->ready(&waiting)) << waiting;
  EXPECT_EQ(bench.committed(), 1u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.committed, 1u);
  EXPECT_EQ(bench.backends.at("amber-backend-2").record->epoch, 1u);
  EXPECT_EQ(bench.region.process("amber-proxy-1")->pid, 0);
}

TEST(Tables, CommitAtOnceWhenEveryProxyAcknowledges) {
  Bench bench;
  bench.start_and_settle();
  const base::Instant began = bench.clock.now();
  auto epoch = bench.run(bench.coordinator->tables().change(bench.weigh(0)));
  ASSERT_TRUE(epoch.ok());
  EXPECT_EQ(*epoch, 2u);
  EXPECT_LT(bench.clock.now() - began, milliseconds(50));
  EXPECT_EQ(bench.proxies.at("amber-proxy-2").status.committed, 2u);
  EXPECT_EQ(bench.coordinator->tables().at("amber").slots()["amber-backend-1"], 0u);
  EXPECT_EQ(bench.proxies.at("birch-proxy-1").status.committed, 1u);
}

TEST(Tables, CommitAgainstASilentProxyOnlyAfterItIsFenced) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  const base::Instant began = bench.clock.now();
  auto epoch = bench.run(bench.coordinator->tables().change(bench.weigh(0)));
  ASSERT_TRUE(epoch.ok());
  EXPECT_EQ(bench.backends.at("amber-backend-1").record->epoch, 2u);
  EXPECT_GE(bench.clock.now() - began, kPreparePatience + kFencedAfter);
  EXPECT_LT(bench.clock.now() - began, seconds(2));
  bench.proxies.at("amber-proxy-2").silent = false;
  bench.timers.run_for(seconds(2));
  EXPECT_EQ(bench.proxies.at("amber-proxy-2").status.committed, 2u);
}

TEST(Tables, RollBackAndNameWhoBlocksWhenNothingSafeIsLeft) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.backends.at("amber-backend-1").silent = true;
  auto epoch = bench.run(bench.coordinator->tables().change(bench.weigh(0)));
  ASSERT_FALSE(epoch.ok());
  EXPECT_EQ(epoch.code(), base::ErrorCode::kRefused);
  EXPECT_NE(epoch.error().context.find("amber-proxy-2"), std::string::npos);
  EXPECT_NE(epoch.error().context.find("amber-backend-1"), std::string::npos);
  bench.timers.run_for(seconds(2));
  EXPECT_EQ(bench.committed(), 1u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.prepared, 0u);
}

TEST(Tables, NeverUseAnEpochNumberTwice) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.backends.at("amber-backend-1").silent = true;
  ASSERT_FALSE(bench.run(bench.coordinator->tables().change(bench.weigh(0))).ok());
  bench.proxies.at("amber-proxy-2").silent = false;
  auto epoch = bench.run(bench.coordinator->tables().change(bench.weigh(0)));
  ASSERT_TRUE(epoch.ok());
  EXPECT_EQ(*epoch, 3u);
}

TEST(Tables, KillAnUnreachableOwnerWhenPermitted) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.backends.at("amber-backend-1").silent = true;
  const base::Instant began = bench.clock.now();
  auto epoch = bench.run(bench.coordinator->tables().change(bench.weigh(0, true)));
  ASSERT_TRUE(epoch.ok());
  EXPECT_EQ(bench.processes.killed, (std::vector<std::string>{"amber-backend-1"}));
  EXPECT_LT(bench.clock.now() - began, seconds(2));
}

TEST(Tables, FlushABackendThatComesBackBeforeItsEpochIsPrepared) {
  Bench bench;
  bench.start_and_settle();
  ASSERT_TRUE(bench.run(bench.coordinator->tables().change(bench.weigh(0))).ok());
  ASSERT_TRUE(bench.run(bench.coordinator->tables().change(bench.weigh(1))).ok());
  EXPECT_EQ(bench.backends.at("amber-backend-1").flushes, 1);
  EXPECT_EQ(bench.committed(), 3u);
  bench.backends.at("amber-backend-1").silent = true;
  ASSERT_TRUE(bench.run(bench.coordinator->tables().change(bench.weigh(0))).ok());
  EXPECT_EQ(bench.run(bench.coordinator->tables().change(bench.weigh(1))).code(),
            base::ErrorCode::kRefused);
}

TEST(Tables, AnswerWithThePresentEpochWhenNothingChanges) {
  Bench bench;
  bench.start_and_settle();
  auto epoch = bench.run(bench.coordinator->tables().change(bench.weigh(1)));
  ASSERT_TRUE(epoch.ok());
  EXPECT_EQ(*epoch, 1u);
}

TEST(Tables, AreFinishedByTheNextAgentFromWhateverPhaseTheJournalHolds) {
  // The agent ends after so many milliseconds of a change that takes about 800.
  for (const int stop_at : {1, 100, 250, 310, 400, 700, 790, 810, 900}) {
    Bench bench;
    bench.start_and_settle();
    bench.proxies.at("amber-proxy-2").silent = true;
    std::optional<base::Result<base::Epoch>> ignored;
    bench.begin(bench.coordinator->tables().change(bench.weigh(0)), ignored);
    bench.timers.run_for(milliseconds(stop_at));
    const ChangePhase phase = bench.coordinator->tables().at("amber").phase;
    bench.restart();
    bench.timers.run_for(seconds(4));
    EXPECT_EQ(bench.committed(), 2u) << "after " << stop_at << " ms, " << to_string(phase);
    bench.proxies.at("amber-proxy-2").silent = false;
    bench.timers.run_for(seconds(2));
    std::string waiting;
    EXPECT_TRUE(bench.coordinator->ready(&waiting)) << waiting;
    EXPECT_EQ(bench.proxies.at("amber-proxy-2").status.committed, 2u);
  }
}

TEST(Tables, GoOnWhenTheStoreFailsForAWhile) {
  Bench bench;
  bench.start_and_settle();
  std::optional<base::Result<base::Epoch>> result;
  bench.store.script({test::FakeStore::Fault::kNone, test::FakeStore::Fault::kBeforeCommit,
                      test::FakeStore::Fault::kAfterCommit});
  bench.begin(bench.coordinator->tables().change(bench.weigh(0)), result);
  bench.timers.run_for(seconds(2));
  ASSERT_TRUE(result.has_value() && result->ok());
  EXPECT_EQ(bench.committed(), 2u);
}

TEST(Tables, StartAboveEpochsThatBackendsKnowWhenTheStoreWasLost) {
  Bench bench;
  bench.backends.at("amber-backend-1").record = FenceRecord{41, 0};
  bench.start_and_settle();
  EXPECT_EQ(bench.committed(), 42u);
}

TEST(Reconciler, BringsAReplacedProxyIntoStep) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.restart("amber-proxy-1", false);
  bench.coordinator->on_process_changed("amber-proxy-1");
  EXPECT_FALSE(bench.coordinator->ready(nullptr));
  auto waited = bench.run(bench.coordinator->reconciler().wait_in_step(
      "amber-proxy-1", bench.clock.now() + seconds(1)));
  EXPECT_TRUE(waited.ok());
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").verbs,
            (std::vector<std::string>{"configure", "epoch.prepare", "epoch.commit"}));
}

TEST(Reconciler, GivesARestartedBackendItsRecord) {
  Bench bench;
  bench.start_and_settle();
  bench.backends.at("amber-backend-2").record.reset();
  bench.coordinator->on_process_changed("amber-backend-2");
  bench.timers.run_for(milliseconds(100));
  ASSERT_TRUE(bench.backends.at("amber-backend-2").record.has_value());
  EXPECT_EQ(bench.backends.at("amber-backend-2").record->epoch, 1u);
}

TEST(Reconciler, ReadsARecordEachSecondThatNoProbeReads) {
  Bench bench;
  bench.start_and_settle();
  const int raises = bench.backends.at("amber-backend-1").raises;
  bench.timers.run_for(seconds(5));
  EXPECT_GE(bench.backends.at("amber-backend-1").raises, raises + 4);
}

TEST(Reconciler, AsksForNoRecordThatProbesFindEachSecond) {
  Bench bench;
  bench.start_and_settle();
  bench.timers.run_for(milliseconds(50));  // behind the look, which reads what came before it
  ASSERT_TRUE(bench.run(bench.backends.probe("amber-backend-1", seconds(1))).ok());
  bench.timers.run_for(milliseconds(100));
  const int raises = bench.backends.at("amber-backend-1").raises;
  for (int i = 0; i < 5; ++i) {
    bench.timers.run_for(milliseconds(900));
    ASSERT_TRUE(bench.run(bench.backends.probe("amber-backend-1", seconds(1))).ok());
    bench.timers.run_for(milliseconds(100));
  }
  EXPECT_EQ(bench.backends.at("amber-backend-1").raises, raises);
}

TEST(Reconciler, RaisesARecordAtOnceThatAProbeMisses) {
  Bench bench;
  bench.start_and_settle();
  ASSERT_TRUE(bench.run(bench.backends.probe("amber-backend-1", seconds(1))).ok());
  bench.timers.run_for(milliseconds(300));
  bench.backends.at("amber-backend-1").record.reset();
  ASSERT_TRUE(bench.run(bench.backends.probe("amber-backend-1", seconds(1))).ok());
  bench.timers.run_for(milliseconds(200));
  ASSERT_TRUE(bench.backends.at("amber-backend-1").record.has_value());
  EXPECT_EQ(bench.backends.at("amber-backend-1").record->epoch, 1u);
}

// What was there before the process ended says nothing of the one that follows it.
TEST(Reconciler, TrustsNoProbeOfAProcessThatHasEnded) {
  Bench bench;
  bench.start_and_settle();
  ASSERT_TRUE(bench.run(bench.backends.probe("amber-backend-1", seconds(1))).ok());
  bench.backends.at("amber-backend-1").record.reset();
  bench.coordinator->on_process_changed("amber-backend-1");
  bench.timers.run_for(milliseconds(100));
  EXPECT_TRUE(bench.backends.at("amber-backend-1").record.has_value());
}

TEST(Reconciler, BringsAChangeOfTenantsToEveryProxyWithinASecond) {
  Bench bench;
  bench.start_and_settle();
  auto issued = bench.run(bench.coordinator->tenants().create_credential(1, Capabilities()));
  ASSERT_TRUE(issued.ok());
  bench.timers.run_for(seconds(1));
  for (const char* proxy : {"amber-proxy-1", "amber-proxy-2"}) {
    EXPECT_TRUE(bench.proxies.at(proxy).users.contains(issued->credential.user));
    EXPECT_EQ(bench.proxies.at(proxy).verbs.back(), "change");
  }
  EXPECT_FALSE(bench.proxies.at("birch-proxy-1").users.contains(issued->credential.user));
}

TEST(FenceGate, RefusesOlderFencesAlsoAfterARestart) {
  Bench bench;
  bench.start_and_settle();
  ASSERT_TRUE(bench.run(bench.coordinator->gate().admit("cluster/amber", 7)).ok());
  bench.restart();
  EXPECT_EQ(bench.run(bench.coordinator->gate().admit("cluster/amber", 6)).code(),
            base::ErrorCode::kRefused);
  EXPECT_TRUE(bench.run(bench.coordinator->gate().admit("cluster/amber", 7)).ok());
  EXPECT_TRUE(bench.run(bench.coordinator->gate().admit("cluster/birch", 1)).ok());
}

// A record that was on its way while its backend died and came back: the new process must not be
// given what was wanted before the old one was counted as fenced.
TEST(FenceRecords, AreChosenWhenTheConnectionStandsNotBefore) {
  std::optional<base::Result<FenceRecord>> raised;
  Bench bench;
  bench.start_and_settle();
  test::FakeBackends::Backend& backend = bench.backends.at("amber-backend-1");
  backend.record.reset();
  backend.connecting = milliseconds(50);
  bench.begin(bench.coordinator->fences().raise("amber-backend-1"), raised);
  bench.timers.run_for(milliseconds(10));
  auto bumped = bench.run(bench.coordinator->tenants().bump("amber", {1}, {}));
  ASSERT_TRUE(bumped.ok());
  bench.timers.run_for(milliseconds(60));
  ASSERT_TRUE(raised && raised->ok());
  EXPECT_EQ(backend.record->flush_sequence, 1u);
}

TEST(FenceRecords, ThatMayBeOnTheirWayForbidARollback) {
  std::optional<base::Result<FenceRecord>>
      raised;  // outlives the bench, whose end lets the call end
  Bench bench;
  bench.start_and_settle();
  test::FakeBackends::Backend& backend = bench.backends.at("amber-backend-2");
  backend.loses_answers = true;
  bench.begin(bench.coordinator->fences().raise("amber-backend-2"), raised);
  bench.timers.run_for(milliseconds(10));
  EXPECT_TRUE(bench.coordinator->fences().may_exist("amber", 1));
  EXPECT_FALSE(bench.coordinator->fences().may_exist("amber", 2));
}

TEST(TableJournal, CountsTheSlotsOfEachBackend) {
  ClusterTables tables;
  tables.committed = base::next_table({}, 1, {{"a", 1}, {"b", 0}, {"c", 3}});
  std::map<std::string_view, uint32_t> slots = tables.slots();
  EXPECT_GT(slots["a"], 0u);
  EXPECT_EQ(slots["b"], 0u);
  EXPECT_EQ(slots["a"] + slots["c"], base::kSlotCount);
  EXPECT_EQ(slots.size(), 3u);
  for (uint16_t& owner : tables.committed.owner) owner = base::EpochTable::kNoOwner;
  slots = tables.slots();
  EXPECT_EQ(slots["a"] + slots["b"] + slots["c"], 0u);
}

TEST(TableJournal, KnowsAfterSettlingWhetherAWriteOfUnknownOutcomeTookPlace) {
  Bench bench;
  bench.start_and_settle();
  bench.stop();
  TableJournal journal(bench.region, bench.store);
  ASSERT_TRUE(bench.run(journal.load()).ok());
  const base::EpochTable table =
      base::next_table(journal.at("amber").committed, 2, journal.at("amber").committed.backends);
  bench.store.script({test::FakeStore::Fault::kAfterCommit});
  bench.store.lose_reads(1);
  base::EpochTable copy = table;
  ASSERT_FALSE(bench.run(journal.begin("amber", std::move(copy))).ok());
  EXPECT_EQ(journal.at("amber").phase, ChangePhase::kStable);
  ASSERT_TRUE(bench.run(journal.settle("amber")).ok());
  EXPECT_EQ(journal.at("amber").phase, ChangePhase::kPreparing);
  EXPECT_EQ(journal.at("amber").prepared->owner, table.owner);
}

// Whether the way back was taken is not known: a record chosen meanwhile fences nobody from the new epoch.
TEST(Tables, DoNotTakeAnOldRecordForAFenceWhileARollbackIsUncertain) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.backends.at("amber-backend-1").silent = true;
  std::optional<base::Result<base::Epoch>> outcome;
  bench.begin(bench.coordinator->tables().change(bench.weigh(0)), outcome);
  bench.timers.run_for(milliseconds(950));  // fencing; the rollback is next
  ASSERT_EQ(bench.coordinator->tables().at("amber").phase, ChangePhase::kFencing);
  bench.store.script({test::FakeStore::Fault::kUnknownNotDone});
  bench.store.lose_reads(20);
  bench.timers.run_for(milliseconds(200));
  bench.backends.at("amber-backend-1").silent = false;
  bench.timers.run_for(seconds(8));
  ASSERT_TRUE(outcome.has_value());
  if (bench.committed() > 1) {
    EXPECT_GE(bench.backends.at("amber-backend-1").record->epoch, bench.committed())
        << "committed against a proxy that nothing fences";
  }
}

TEST(Tables, CommitAFirstTableOnlyWhenASilentProxyIsFenced) {
  Bench bench;
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.processes.dead.insert("amber-proxy-2");  // nobody waits for it to answer
  const base::Instant began = bench.clock.now();
  bench.restart();
  while (bench.committed() == 0 && bench.clock.now() - began < seconds(5)) {
    bench.timers.run_for(milliseconds(10));
  }
  EXPECT_EQ(bench.committed(), 1u);
  EXPECT_GE(bench.clock.now() - began, kFencedAfter);
  EXPECT_EQ(bench.backends.at("amber-backend-2").record->epoch, 1u);
}

TEST(Tables, GoOnAboveWhatProxiesHaveWhenTheStoreIsAnOlderCopy) {
  Bench bench;
  bench.start_and_settle();
  const auto copy = bench.store.entries();
  ASSERT_TRUE(bench.run(bench.coordinator->tables().change(bench.weigh(0))).ok());
  ASSERT_TRUE(bench.run(bench.coordinator->tables().change(bench.weigh(1))).ok());
  ASSERT_EQ(bench.proxies.at("amber-proxy-1").status.committed, 3u);
  bench.stop();
  const auto now = bench.store.entries();
  for (const auto& [key, entry] : now) bench.store.erase(key);
  for (const auto& [key, entry] : copy) bench.store.set(key, entry.value);
  bench.restart();
  bench.timers.run_for(seconds(5));
  EXPECT_GT(bench.committed(), 3u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.committed, bench.committed());
  EXPECT_EQ(bench.proxies.at("amber-proxy-2").status.committed, bench.committed());
  const base::EpochTable& table = bench.coordinator->tables().at("amber").committed;
  EXPECT_EQ(table.since[0], table.epoch) << "what was stored under the lost tables is out of reach";
}

}  // namespace
}  // namespace agent::coord
