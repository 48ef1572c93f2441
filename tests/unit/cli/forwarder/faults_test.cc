#include "cli/forwarder/faults.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

using namespace std::chrono_literals;

const LinkName kLink{"l1", "amber", "amber-proxy-1", "amber-backend-1"};

Fault slow(double share) {
  Fault fault;
  fault.id = "slow-amber";
  fault.cluster = "amber";
  fault.share = share;
  fault.delay_min = 5ms;
  fault.delay_max = 15ms;
  return fault;
}

TEST(FaultSet, SlowHoldsAboutItsShareWithinItsRange) {
  FaultSet faults(7);
  faults.set(slow(0.15));
  int held = 0;
  for (int i = 0; i < 10'000; ++i) {
    const base::Duration delay = faults.draw_delay(kLink);
    if (delay == base::Duration::zero()) continue;
    ++held;
    EXPECT_GE(delay, 5ms);
    EXPECT_LE(delay, 15ms);
  }
  EXPECT_NEAR(held, 1500, 150);
}

TEST(FaultSet, DropArrivesAsLateAsARetransmission) {
  FaultSet faults(7);
  Fault drop = slow(1);
  drop.kind = FaultKind::kDrop;
  faults.set(drop);
  const base::Duration delay = faults.draw_delay(kLink);
  EXPECT_GE(delay, 200ms);
  EXPECT_LE(delay, 400ms);
}

TEST(FaultSet, DatagramsAreHeldAsChunksAreButADroppedOneIsLost) {
  FaultSet faults(7);
  EXPECT_EQ(faults.draw_datagram(kLink), 0ms);
  faults.set(slow(1));
  EXPECT_GE(faults.draw_datagram(kLink), 5ms);
  Fault drop = slow(0.15);
  drop.id = "drop-amber";
  drop.kind = FaultKind::kDrop;
  faults.set(drop);
  int lost = 0;
  for (int i = 0; i < 10'000; ++i) lost += faults.draw_datagram(kLink) ? 0 : 1;
  EXPECT_NEAR(lost, 1500, 150);
}

TEST(FaultSet, TheSameSeedDrawsTheSame) {
  FaultSet one(42), other(42);
  one.set(slow(0.5));
  other.set(slow(0.5));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.draw_delay(kLink), other.draw_delay(kLink));
}

TEST(FaultSet, TouchesOnlyLinksThatMatch) {
  FaultSet faults(7);
  Fault stall = slow(1);
  stall.kind = FaultKind::kStall;
  stall.backend = "amber-backend-2";
  faults.set(stall);
  EXPECT_FALSE(faults.stalled(kLink));
  LinkName other = kLink;
  other.backend = "amber-backend-2";
  EXPECT_TRUE(faults.stalled(other));
  other.cluster = "birch";
  EXPECT_FALSE(faults.stalled(other));
  EXPECT_EQ(faults.draw_delay(kLink), base::Duration::zero());
}

TEST(FaultSet, ClearsOneOrAll) {
  FaultSet faults(7);
  faults.set(slow(1));
  Fault second = slow(1);
  second.id = "two";
  faults.set(second);
  EXPECT_EQ(faults.list().size(), 2u);
  EXPECT_EQ(faults.clear("two"), 1u);
  EXPECT_EQ(faults.clear("two"), 0u);
  EXPECT_EQ(faults.clear(std::nullopt), 1u);
  EXPECT_EQ(faults.draw_delay(kLink), base::Duration::zero());
}

}  // namespace
}  // namespace cli
