#include "proxy/ring/ring.h"

#include <gtest/gtest.h>

namespace proxy::ring {
namespace {

TablePtr table(base::Epoch epoch, uint32_t weight_of_b = 1) {
  base::EpochTable empty;
  return std::make_shared<const base::EpochTable>(
      base::next_table(empty, epoch, {{"a", 1}, {"b", weight_of_b}}));
}

TEST(Ring, StartsWithNothing) {
  const Ring ring;
  EXPECT_EQ(ring.committed_epoch(), 0u);
  EXPECT_EQ(ring.prepared_epoch(), 0u);
  EXPECT_EQ(ring.decide_commit(0), CommitDecision::kNotPrepared);
}

TEST(Ring, CommitsWhatWasPrepared) {
  Ring ring;
  EXPECT_EQ(ring.decide_prepare(*table(1)), PrepareDecision::kPrepare);
  ring.prepare(table(1));
  EXPECT_EQ(ring.decide_commit(1), CommitDecision::kCommit);
  EXPECT_EQ(ring.decide_commit(2), CommitDecision::kNotPrepared);
  ring.commit();
  EXPECT_EQ(ring.committed_epoch(), 1u);
  EXPECT_EQ(ring.prepared_epoch(), 0u);
  EXPECT_EQ(ring.decide_commit(1), CommitDecision::kAlreadyCommitted);
}

TEST(Ring, AcknowledgesTheSamePrepareAgainAndRefusesAnother) {
  Ring ring(table(3), nullptr, 0);
  ring.prepare(table(5));
  EXPECT_EQ(ring.decide_prepare(*table(5)), PrepareDecision::kAlreadyPrepared);
  EXPECT_EQ(ring.decide_prepare(*table(5, 9)), PrepareDecision::kDiffers);
  EXPECT_EQ(ring.decide_prepare(*table(4)), PrepareDecision::kSuperseded);
  EXPECT_EQ(ring.decide_prepare(*table(3)), PrepareDecision::kNotNewer);
  EXPECT_EQ(ring.decide_prepare(*table(6)), PrepareDecision::kPrepare);
}

TEST(Ring, ForgetsAnAbortedTableButNotItsEpoch) {
  Ring ring(table(3), nullptr, 0);
  ring.prepare(table(5));
  EXPECT_EQ(ring.decide_abort(4), AbortDecision::kNothingPrepared);
  EXPECT_EQ(ring.decide_abort(3), AbortDecision::kAlreadyCommitted);
  EXPECT_EQ(ring.decide_abort(5), AbortDecision::kAbort);
  ring.abort(5);
  EXPECT_EQ(ring.prepared_epoch(), 0u);
  EXPECT_EQ(ring.decide_commit(5), CommitDecision::kNotPrepared);
  EXPECT_EQ(ring.known(), 5u);
}

TEST(Ring, DropsAPreparedTableFromDiskThatWasCommittedSince) {
  const Ring ring(table(5), table(5), 0);
  EXPECT_EQ(ring.prepared_epoch(), 0u);
  EXPECT_EQ(ring.known(), 5u);
  const Ring newer(table(5), table(6), 9);
  EXPECT_EQ(newer.prepared_epoch(), 6u);
  EXPECT_EQ(newer.known(), 9u);
}

}  // namespace
}  // namespace proxy::ring
