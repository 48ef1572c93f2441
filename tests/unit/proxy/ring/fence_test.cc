#include "proxy/ring/fence.h"

#include <gtest/gtest.h>

namespace proxy::ring {
namespace {

using base::Instant;
using namespace std::chrono_literals;

FenceRecord record(base::Epoch epoch, uint64_t sequence) {
  FenceRecord r;
  r.epoch = epoch;
  r.flush_sequence = sequence;
  return r;
}

const Instant kStart{1'000'000'000};

TEST(FenceWatch, ConfirmsForTheWindowAfterAsking) {
  FenceWatch watch;
  EXPECT_EQ(watch.check(kStart, record(3, 4), {}), Hold::kNeverRead);
  watch.read(kStart, record(3, 4));
  EXPECT_EQ(watch.check(kStart + kFenceWindow, record(3, 4), {}), Hold::kNone);
  EXPECT_EQ(watch.check(kStart + kFenceWindow + 1ns, record(3, 4), {}), Hold::kStale);
}

TEST(FenceWatch, AMissingRecordConfirmsNothing) {
  FenceWatch watch;
  watch.read(kStart, record(1, 0));
  watch.read(kStart, std::nullopt);
  EXPECT_EQ(watch.check(kStart, record(1, 0), {}), Hold::kMissing);
}

TEST(FenceWatch, ARecordAskedForEarlierThanTheLastSaysNothing) {
  FenceWatch watch;
  watch.read(kStart, record(1, 0));
  watch.read(kStart - 400ms, record(1, 0));
  EXPECT_EQ(watch.check(kStart + 100ms, record(1, 0), {}), Hold::kNone);
  watch.read(kStart - 400ms, std::nullopt);
  EXPECT_EQ(watch.check(kStart + 100ms, record(1, 0), {}), Hold::kNone);
  watch.reset();  // another connection, perhaps another process
  EXPECT_EQ(watch.check(kStart + 100ms, record(1, 0), {}), Hold::kNeverRead);
  watch.read(kStart - 200ms, record(1, 0));
  EXPECT_EQ(watch.check(kStart, record(1, 0), {}), Hold::kNone);
}

TEST(FenceWatch, ANewerRecordHoldsUntilThisProxyKnowsIt) {
  FenceWatch watch;
  watch.read(kStart, record(5, 0));
  EXPECT_EQ(watch.check(kStart, record(4, 0), record(5, 0)), Hold::kNewer);
  EXPECT_EQ(watch.check(kStart, record(4, 0), {}), Hold::kNewer);
  EXPECT_EQ(watch.check(kStart, record(5, 0), record(5, 0)), Hold::kNone);
}

TEST(FenceWatch, ANewerRecordOfAnotherBackendHoldsToo) {
  FenceWatch watch;
  watch.read(kStart, record(4, 0));
  EXPECT_EQ(watch.check(kStart, record(4, 0), record(4, 1)), Hold::kNewer);
}

TEST(FenceWatch, ANewConnectionHasToAskAgain) {
  FenceWatch watch;
  watch.read(kStart, record(4, 0));
  watch.reset();
  EXPECT_EQ(watch.check(kStart, record(4, 0), {}), Hold::kNeverRead);
}

TEST(FenceWatch, OnlyHoldsThatWaitingCannotEndAreSettled) {
  EXPECT_TRUE(FenceWatch::is_settled(Hold::kMissing));
  EXPECT_TRUE(FenceWatch::is_settled(Hold::kNewer));
  EXPECT_FALSE(FenceWatch::is_settled(Hold::kStale));
  EXPECT_FALSE(FenceWatch::is_settled(Hold::kNeverRead));
  EXPECT_FALSE(FenceWatch::is_settled(Hold::kNone));
}

}  // namespace
}  // namespace proxy::ring
