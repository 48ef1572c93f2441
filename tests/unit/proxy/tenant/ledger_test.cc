#include "proxy/tenant/ledger.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>

#include "base/core/hash.h"

namespace proxy::tenant {
namespace {

constexpr uint32_t kNow = 1'700'000'000;

Ledger::Event event_of(const std::string& key, uint32_t bytes = 0, uint32_t expires = 0,
                       uint32_t now = kNow, base::Generation generation = 1) {
  return {generation, base::hash64(key, 7), bytes, expires, now};
}

// A key that is followed from the beginning.
std::string followed(int number) {
  for (int i = 0;; ++i) {
    const std::string key = "key-" + std::to_string(number) + "-" + std::to_string(i);
    if (base::hash64(key, 7) % Ledger::kFirstEvery == 0) return key;
  }
}

TEST(Ledger, FollowsKeysByTheirSlot) {
  for (int i = 0; i < 1000; ++i) {
    const std::string key = std::to_string(i);
    EXPECT_EQ(Ledger::may_follow(base::slot_of(7, key)),
              base::hash64(key, 7) % Ledger::kFirstEvery == 0);
  }
}

TEST(Ledger, StaysWithinItsErrorOfAnExactModelOverRandomOperations) {
  for (const size_t keys : {20'000u, 400'000u}) {
    Ledger ledger;
    std::map<std::string, uint64_t> exact;
    std::mt19937_64 random(keys);
    for (size_t i = 0; i < 3 * keys; ++i) {
      const std::string key = "k" + std::to_string(random() % keys);
      const auto bytes = static_cast<uint32_t>(key.size() + random() % 2000);
      switch (random() % 5) {
        case 0:
          exact.erase(key);
          ledger.deleted(event_of(key));
          break;
        case 1:
          if (const auto at = exact.find(key); at != exact.end()) {
            ledger.found(event_of(key, uint32_t(at->second) - Ledger::kOverhead));
          } else {
            ledger.missed(event_of(key));
          }
          break;
        default:
          exact[key] = bytes + Ledger::kOverhead;
          ledger.stored(event_of(key, bytes));
      }
    }
    double all = 0;
    for (const auto& [key, bytes] : exact) all += double(bytes);
    const Estimate estimate = ledger.estimate(1, kNow);
    EXPECT_LT(estimate.error, 0.15);
    EXPECT_NEAR(double(estimate.items) / double(exact.size()), 1, estimate.error) << keys;
    EXPECT_NEAR(double(estimate.bytes) / all, 1, 1.5 * estimate.error) << keys;
    EXPECT_EQ(estimate.evictions, 0u);
    EXPECT_EQ(estimate.expired, 0u);
  }
}

TEST(Ledger, FollowsFewerKeysOfALargeCacheInsteadOfGrowing) {
  Ledger ledger;
  constexpr uint64_t kItems = 1'000'000;
  for (uint64_t i = 0; i < kItems; ++i) ledger.stored(event_of("k" + std::to_string(i), 10));
  const Estimate estimate = ledger.estimate(1, kNow);
  EXPECT_GE(estimate.error, 2 / std::sqrt(double(Ledger::kMostItems)));
  EXPECT_NEAR(double(estimate.items) / double(kItems), 1, estimate.error);
}

TEST(Ledger, TellsWhatExpiredFromWhatWasEvicted) {
  Ledger ledger;
  ledger.stored(event_of(followed(1), 10, kNow + 60));
  ledger.stored(event_of(followed(2), 10));
  ledger.stored(event_of(followed(3), 10, kNow + 60));
  ledger.missed(event_of(followed(1), 0, 0, kNow + 60));
  ledger.missed(event_of(followed(2), 0, 0, kNow + 60));
  ledger.missed(event_of(followed(9), 0, 0, kNow + 60));  // never was
  Estimate estimate = ledger.estimate(1, kNow + 30);
  EXPECT_EQ(estimate.items, Ledger::kFirstEvery);
  EXPECT_EQ(estimate.evictions, Ledger::kFirstEvery);
  EXPECT_EQ(estimate.expired, Ledger::kFirstEvery);
  estimate = ledger.estimate(1, kNow + 60);  // nobody has to ask for it
  EXPECT_EQ(estimate.items, 0u);
  EXPECT_EQ(estimate.expired, 2 * Ledger::kFirstEvery);
  ledger.reset_counts();
  EXPECT_EQ(ledger.estimate(1, kNow + 60).expired, 0u);
}

TEST(Ledger, ATouchGivesANewExpiryAndAReadKeepsIt) {
  Ledger ledger;
  ledger.stored(event_of(followed(1), 10, kNow + 60));
  ledger.touched(event_of(followed(1), 0, kNow + 600));
  ledger.found(event_of(followed(1), 10));
  EXPECT_EQ(ledger.estimate(1, kNow + 100).items, Ledger::kFirstEvery);
  EXPECT_EQ(ledger.estimate(1, kNow + 600).items, 0u);
}

TEST(Ledger, AppendsGrowAnItem) {
  Ledger ledger;
  ledger.stored(event_of(followed(1), 10));
  ledger.appended(event_of(followed(1), 5));
  ledger.appended(event_of(followed(2), 5));  // not followed as an item
  EXPECT_EQ(ledger.estimate(1, kNow).bytes, (15 + Ledger::kOverhead) * Ledger::kFirstEvery);
}

TEST(Ledger, AFlushEmptiesItAndLateRepliesOfBeforeDoNotFillItAgain) {
  Ledger ledger;
  ledger.stored(event_of(followed(1), 10));
  EXPECT_EQ(ledger.estimate(2, kNow).items, 0u);
  ledger.stored(event_of(followed(2), 10, 0, kNow, 1));
  EXPECT_EQ(ledger.estimate(2, kNow).items, 0u);
  ledger.stored(event_of(followed(3), 10, 0, kNow, 2));
  EXPECT_EQ(ledger.estimate(2, kNow).items, Ledger::kFirstEvery);
}

}  // namespace
}  // namespace proxy::tenant
