#include "proxy/frontend/ledger_entry.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/core/hash.h"
#include "proxy/route/meta.h"

namespace proxy {
namespace {

using base::memcache::Command;
using route::Outcome;
using tenant::Ledger;

constexpr uint32_t kNow = 1'700'000'000;
const base::WallTime kWall{int64_t{kNow} * 1'000'000'000};

class LedgerEntryTest : public testing::Test {
 protected:
  LedgerEntryTest() {
    for (int i = 0; base::hash64(key, 3) % Ledger::kFirstEvery != 0; ++i) key = std::to_string(i);
  }
  void note(Command command, Outcome outcome, uint32_t stored = 0, int32_t exptime = 0,
            size_t read = 0) {
    route::Pending pending = pending_of(command, stored);
    pending.exptime = exptime;
    note_in_ledger(&account, pending, key, outcome, read, kWall);
  }
  // A meta command with these flags that was done; `read`: the size of the value its reply showed.
  void note_meta(Command command, std::string_view flags, uint32_t stored = 0,
                 std::optional<size_t> read = std::nullopt, bool may_write = true) {
    base::memcache::Request request;
    request.command = command;
    request.arguments = flags;
    route::Pending pending = pending_of(command, stored);
    route::note_meta_effect(pending, request, may_write);
    note_in_ledger(&account, pending, key, Outcome::kDone, read, kWall);
  }
  static route::Pending pending_of(Command command, uint32_t stored) {
    route::Pending pending;
    pending.cache = 3;
    pending.generation = 1;
    pending.command = command;
    pending.value_size = stored;
    return pending;
  }
  uint64_t items(uint32_t now = kNow) {
    return account.ledger().estimate(1, now).items / Ledger::kFirstEvery;
  }
  uint64_t value_bytes() {
    const uint64_t all = account.ledger().estimate(1, kNow).bytes / Ledger::kFirstEvery;
    return all - key.size() - Ledger::kOverhead;
  }
  std::string key = "k";
  tenant::Account account{1};
};

TEST_F(LedgerEntryTest, UnderstandsExpiryAsMemcachedDoes) {
  EXPECT_EQ(expiry_of(0, kNow), 0u);
  EXPECT_EQ(expiry_of(60, kNow), kNow + 60);
  EXPECT_EQ(expiry_of(60 * 60 * 24 * 30, kNow), kNow + 60 * 60 * 24 * 30);
  EXPECT_EQ(expiry_of(kNow + 5, kNow), kNow + 5);
  EXPECT_LT(expiry_of(-1, kNow), kNow);
}

TEST_F(LedgerEntryTest, FollowsAnItemThroughItsLife) {
  note(Command::kGet, Outcome::kAbsent);
  EXPECT_EQ(items(), 0u);
  note(Command::kSet, Outcome::kDone, 100);
  EXPECT_EQ(value_bytes(), 100u);
  note(Command::kAppend, Outcome::kDone, 20);
  EXPECT_EQ(value_bytes(), 120u);
  note(Command::kGet, Outcome::kDone, 0, 0, 120);
  EXPECT_EQ(value_bytes(), 120u);
  note(Command::kTouch, Outcome::kDone, 0, 60);
  EXPECT_EQ(items(kNow + 59), 1u);
  note(Command::kIncr, Outcome::kDone);
  note(Command::kDelete, Outcome::kDone);
  EXPECT_EQ(items(), 0u);
  EXPECT_EQ(account.ledger().estimate(1, kNow).evictions, 0u);
}

TEST_F(LedgerEntryTest, AnAddThatIsRefusedOrAnErrorTakesNothingAway) {
  note(Command::kSet, Outcome::kDone, 100);
  note(Command::kAdd, Outcome::kAbsent, 5);
  note(Command::kCas, Outcome::kExists, 5);
  note(Command::kSet, Outcome::kError, 5);
  EXPECT_EQ(value_bytes(), 100u);
}

TEST_F(LedgerEntryTest, WhatFindsNoneOfAnItemCountsItAsEvicted) {
  for (const Command command :
       {Command::kGet, Command::kReplace, Command::kDelete, Command::kTouch, Command::kIncr}) {
    note(Command::kSet, Outcome::kDone, 100);
    const uint64_t before = account.ledger().estimate(1, kNow).evictions;
    note(command, Outcome::kAbsent);
    EXPECT_EQ(items(), 0u);
    EXPECT_EQ(account.ledger().estimate(1, kNow).evictions, before + Ledger::kFirstEvery);
  }
}

TEST_F(LedgerEntryTest, AGetAndTouchGivesANewExpiryAndAPlainGetNone) {
  note(Command::kSet, Outcome::kDone, 100, 60);
  note(Command::kGet, Outcome::kDone, 0, 0, 100);
  EXPECT_EQ(items(kNow + 60), 0u);
  note(Command::kSet, Outcome::kDone, 100, 60);
  note(Command::kGat, Outcome::kDone, 0, 600, 100);
  EXPECT_EQ(items(kNow + 60), 1u);
}

TEST_F(LedgerEntryTest, AMetaHitWithoutItsValueLeavesTheSizeAsItIsKnown) {
  note_meta(Command::kMetaSet, "T60", 100);
  note_meta(Command::kMetaGet, "t");
  note_meta(Command::kMetaGet, "");
  note_meta(Command::kMetaDebug, "T0");
  EXPECT_EQ(value_bytes(), 100u);
  note_meta(Command::kMetaGet, "v", 0, 0);  // an empty value is one
  EXPECT_EQ(value_bytes(), 0u);
  EXPECT_EQ(items(kNow + 60), 0u);
  EXPECT_EQ(account.ledger().estimate(1, kNow).expired, Ledger::kFirstEvery);
}

TEST_F(LedgerEntryTest, AMetaHitWithoutItsValueSaysNothingOfAnItemThatIsNotKnown) {
  note_meta(Command::kMetaGet, "t T60");
  EXPECT_EQ(items(), 0u);
}

TEST_F(LedgerEntryTest, AMetaSetAppendsInTwoOfItsModes) {
  note_meta(Command::kMetaSet, "MS", 100);
  note_meta(Command::kMetaSet, "c MA", 20);
  EXPECT_EQ(value_bytes(), 120u);
  note_meta(Command::kMetaSet, "MP T60", 3);
  EXPECT_EQ(value_bytes(), 123u);
  EXPECT_EQ(items(kNow + 60), 1u);  // appending keeps the item's expiry
  note_meta(Command::kMetaSet, "MR", 7);
  EXPECT_EQ(value_bytes(), 7u);
}

TEST_F(LedgerEntryTest, MetaFlagsGiveANewExpiry) {
  for (const Command command : {Command::kMetaGet, Command::kMetaArithmetic}) {
    note_meta(Command::kMetaSet, "T60", 100);
    note_meta(command, "t T600");
    EXPECT_EQ(items(kNow + 60), 1u);
    EXPECT_EQ(items(kNow + 600), 0u);
    note_meta(Command::kMetaSet, "T60", 100);
    note_meta(command, "T0");
    EXPECT_EQ(items(kNow + 60), 1u);
    note_meta(command, "T-1");
    EXPECT_EQ(items(), 0u);
  }
  note_meta(Command::kMetaSet, "T60", 100);
  note_meta(Command::kMetaGet, "v T600", 0, 100);
  EXPECT_EQ(value_bytes(), 100u);
  EXPECT_EQ(items(kNow + 60), 1u);
}

TEST_F(LedgerEntryTest, AMetaGetWithoutTheWriteCapabilityTouchesNothing) {
  note_meta(Command::kMetaSet, "T60", 100);
  note_meta(Command::kMetaGet, "v T600", 0, 100, false);
  EXPECT_EQ(items(kNow + 60), 0u);
}

TEST_F(LedgerEntryTest, AnInvalidatedItemStays) {
  note_meta(Command::kMetaSet, "", 100);
  note_meta(Command::kMetaDelete, "I");
  EXPECT_EQ(value_bytes(), 100u);
  note_meta(Command::kMetaDelete, "I T30");
  EXPECT_EQ(items(kNow + 29), 1u);
  EXPECT_EQ(items(kNow + 30), 0u);
  note_meta(Command::kMetaSet, "", 100);
  note_meta(Command::kMetaDelete, "T30");
  EXPECT_EQ(items(), 0u);
}

}  // namespace
}  // namespace proxy
