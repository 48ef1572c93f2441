// The rules of an epoch change: by example, and by walking every sequence of events up to a depth.
#include "agent/coord/epoch_change.h"

#include <gtest/gtest.h>

#include <functional>

namespace agent::coord {
namespace {

using Kind = ChangeStep::Kind;
using std::chrono::milliseconds;
constexpr base::Instant kStart{1'000'000'000};

ChangeSetup setup_of(std::vector<std::string> proxies, std::set<std::string> owners) {
  ChangeSetup setup;
  setup.proxies = std::move(proxies);
  setup.old_owners = std::move(owners);
  setup.started = kStart;
  return setup;
}

TEST(EpochChange, CommitsAsSoonAsEveryProxyHasAcknowledged) {
  EpochChange change(setup_of({"p1", "p2"}, {"b1"}));
  EXPECT_EQ(change.next(kStart).prepare, (std::vector<std::string>{"p1", "p2"}));
  change.on_prepare_sent("p1");
  change.on_prepare_sent("p2");
  change.on_prepare("p1", true, kStart + milliseconds(1));
  EXPECT_EQ(change.next(kStart + milliseconds(1)).kind, Kind::kWait);
  change.on_prepare("p2", true, kStart + milliseconds(2));
  EXPECT_EQ(change.next(kStart + milliseconds(2)).kind, Kind::kCommit);
}

TEST(EpochChange, FencesASilentProxyAndCommitsHalfASecondAfterTheRecord) {
  EpochChange change(setup_of({"p1", "p2"}, {"b1"}));
  change.on_prepare_sent("p1");
  change.on_prepare_sent("p2");
  change.on_prepare("p1", true, kStart + milliseconds(1));
  base::Instant now = kStart + kPreparePatience;
  ASSERT_EQ(change.next(now).kind, Kind::kBeginFencing);
  change.on_fencing();
  ASSERT_EQ(change.next(now).fence, (std::vector<std::string>{"b1"}));
  change.on_fence_tried("b1");
  change.on_fence("b1", FenceOutcome::kRaised, now);
  EXPECT_EQ(change.next(now + kFencedAfter - milliseconds(1)).kind, Kind::kWait);
  EXPECT_EQ(change.next(now + kFencedAfter).kind, Kind::kCommit);
}

TEST(EpochChange, TakesAnEndedOwnerForFencedOnlyOnceTheJournalSaysFencing) {
  EpochChange change(setup_of({"p1"}, {"b1"}));
  change.on_prepare_sent("p1");
  change.on_running("b1", false);
  EXPECT_EQ(change.next(kStart).kind, Kind::kWait);
  ASSERT_EQ(change.next(kStart + kPreparePatience).kind, Kind::kBeginFencing);
  change.on_fencing();
  EXPECT_EQ(change.next(kStart + kPreparePatience).kind, Kind::kCommit);
}

TEST(EpochChange, RollsBackWhenSilentProxyAndUnreachableOwnerLeaveNoSafeWay) {
  EpochChange change(setup_of({"p1"}, {"b1"}));
  change.on_prepare_sent("p1");
  change.on_fencing();
  change.on_fence_tried("b1");
  change.on_fence("b1", FenceOutcome::kNotWritten, kStart + milliseconds(900));
  const base::Instant late = kStart + kChangePatience;
  EXPECT_FALSE(change.blockers(late).none());
  EXPECT_EQ(change.next(late).kind, Kind::kAbort);
}

TEST(EpochChange, NeverRollsBackWhenARecordMayHaveBeenWritten) {
  EpochChange change(setup_of({"p1"}, {"b1"}));
  change.on_prepare_sent("p1");
  change.on_fencing();
  change.on_fence_tried("b1");
  change.on_fence("b1", FenceOutcome::kMaybeWritten, kStart + milliseconds(900));
  EXPECT_NE(change.next(kStart + milliseconds(1000)).kind, Kind::kAbort);
  EXPECT_EQ(change.next(kStart + milliseconds(5000)).kind, Kind::kAct);
}

TEST(EpochChange, NeverRollsBackAfterARestartIntoFencing) {
  ChangeSetup setup = setup_of({"p1"}, {"b1"});
  setup.fencing = true;
  EpochChange change(std::move(setup));
  change.on_prepare_sent("p1");
  change.on_fence_tried("b1");
  change.on_fence("b1", FenceOutcome::kNotWritten, kStart + milliseconds(990));
  EXPECT_EQ(change.next(kStart + kChangePatience).kind, Kind::kWait);
}

TEST(EpochChange, KillsAnUnreachableOwnerOnlyWhenPermitted) {
  ChangeSetup setup = setup_of({"p1"}, {"b1"});
  setup.may_kill_unreachable_owner = true;
  EpochChange change(std::move(setup));
  change.on_prepare_sent("p1");
  change.on_fencing();
  change.on_fence_tried("b1");
  change.on_fence("b1", FenceOutcome::kNotWritten, kStart + milliseconds(500));
  const ChangeStep step = change.next(kStart + kOwnerPatience);
  ASSERT_EQ(step.kind, Kind::kKill);
  EXPECT_EQ(step.kill, (std::vector<std::string>{"b1"}));
  change.on_running("b1", false);
  EXPECT_EQ(change.next(kStart + kOwnerPatience).kind, Kind::kCommit);
}

TEST(EpochChange, AsksARestartedOwnerForItsRecordAgain) {
  EpochChange change(setup_of({"p1"}, {"b1"}));
  change.on_prepare_sent("p1");
  change.on_fencing();
  change.on_running("b1", false);
  change.on_running("b1", true);
  EXPECT_EQ(change.next(kStart).fence, (std::vector<std::string>{"b1"}));
}

// What the world really is, beside the machine under test.
struct World {
  EpochChange change;
  base::Instant now = kStart;
  std::map<std::string, bool> acknowledged;
  std::map<std::string, base::Instant> raised;  // on the present process
  std::map<std::string, bool> running;
  std::map<std::string, bool> trying;
  std::map<std::string, bool> asking;
  bool fencing = false;
  bool record_possible = false;

  explicit World(const ChangeSetup& setup) : change(setup) {
    for (const auto& proxy : setup.proxies) acknowledged[proxy] = asking[proxy] = false;
    for (const auto& owner : setup.old_owners) {
      running[owner] = true;
      trying[owner] = false;
    }
  }
  bool fenced(const std::string& owner) const {
    if (!fencing) return false;
    if (!running.at(owner)) return true;
    const auto at = raised.find(owner);
    return at != raised.end() && now >= at->second + kFencedAfter;
  }
  bool commit_is_safe() const {
    bool all = true;
    for (const auto& [proxy, yes] : acknowledged) all = all && yes;
    if (all) return true;
    for (const auto& [owner, yes] : running) {
      if (!fenced(owner)) return false;
    }
    return true;
  }
};

size_t walked = 0;

// Follows every choice that the world can make, checking each decision on the way.
void walk(World world, int depth) {
  ++walked;
  const ChangeStep step = world.change.next(world.now);
  switch (step.kind) {
    case Kind::kCommit:
      ASSERT_TRUE(world.commit_is_safe());
      return;
    case Kind::kAbort:
      ASSERT_FALSE(world.record_possible);
      return;
    case Kind::kBeginFencing:
      world.change.on_fencing();
      world.fencing = true;
      break;
    case Kind::kAct:
      for (const auto& proxy : step.prepare) {
        world.change.on_prepare_sent(proxy);
        world.asking[proxy] = true;
      }
      ASSERT_TRUE(step.fence.empty() || world.fencing);
      for (const auto& owner : step.fence) {
        world.change.on_fence_tried(owner);
        world.trying[owner] = true;
      }
      break;
    case Kind::kKill:
      for (const auto& owner : step.kill) {
        world.change.on_running(owner, false);
        world.running[owner] = false;
        world.raised.erase(owner);
      }
      break;
    case Kind::kWait:
      ASSERT_GT(step.until, world.now);
      break;
  }
  if (depth == 0) return;
  if (step.kind != Kind::kWait) return walk(world, depth - 1);
  World later = world;
  later.now = step.until;
  walk(later, depth - 1);
  for (const auto& [proxy, asking] : world.asking) {
    if (!asking) continue;
    for (const bool yes : {true, false}) {
      World next = world;
      next.asking[proxy] = false;
      next.acknowledged[proxy] = next.acknowledged[proxy] || yes;
      next.change.on_prepare(proxy, yes, next.now);
      walk(next, depth - 1);
    }
  }
  for (const auto& [owner, trying] : world.trying) {
    if (trying) {
      for (const auto outcome :
           {FenceOutcome::kRaised, FenceOutcome::kNotWritten, FenceOutcome::kMaybeWritten}) {
        if (outcome == FenceOutcome::kRaised && !world.running.at(owner)) continue;
        World next = world;
        next.trying[owner] = false;
        next.record_possible = next.record_possible || outcome != FenceOutcome::kNotWritten;
        if (outcome == FenceOutcome::kRaised) next.raised.emplace(owner, next.now);
        next.change.on_fence(owner, outcome, next.now);
        walk(next, depth - 1);
      }
    }
    World next = world;
    next.running[owner] = !next.running[owner];
    next.raised.erase(owner);
    next.change.on_running(owner, next.running[owner]);
    walk(next, depth - 1);
  }
}

TEST(EpochChange, IsSafeInEverySequenceOfEventsWithTwoProxiesAndOneOwner) {
  for (const bool fencing : {false, true}) {
    for (const bool may_kill : {false, true}) {
      ChangeSetup setup = setup_of({"p1", "p2"}, {"b1"});
      setup.fencing = fencing;
      setup.may_kill_unreachable_owner = may_kill;
      World world(setup);
      world.fencing = world.record_possible = fencing;
      walk(world, 10);
    }
  }
  EXPECT_GT(walked, 10'000u);
}

TEST(EpochChange, IsSafeInEverySequenceOfEventsWithOneProxyAndTwoOwners) {
  World world(setup_of({"p1"}, {"b1", "b2"}));
  walk(world, 9);
}

TEST(OldOwners, AreThoseWhoLoseSlots) {
  const auto first = base::next_table(base::EpochTable(), 1, {{"b1", 1}, {"b2", 1}});
  const auto second = base::next_table(first, 2, {{"b1", 0}, {"b2", 1}});
  EXPECT_EQ(old_owners_of_moving(first, second), (std::set<std::string>{"b1"}));
  EXPECT_TRUE(old_owners_of_moving(base::EpochTable(), first).empty());
}

}  // namespace
}  // namespace agent::coord
