#include "base/core/slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/core/hash.h"

namespace base {
namespace {

std::vector<size_t> share_of_each(const EpochTable& table) {
  std::vector<size_t> slots(table.backends.size());
  for (const uint16_t owner : table.owner) ++slots.at(owner);
  return slots;
}

std::string owner_id(const EpochTable& table, size_t slot) {
  const uint16_t owner = table.owner[slot];
  return owner == EpochTable::kNoOwner ? "" : table.backends[owner].id;
}

EpochTable three() {
  return next_table({}, 1, {{"a", 1}, {"b", 1}, {"c", 1}});
}

// The JSON of three() with `from` replaced by `to` once.
std::string altered(const std::string& from, const std::string& to) {
  std::string text = to_json(three());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// Proxies and agents of every version must agree: these values may never change.
TEST(Hash64, KeepsItsValues) {
  const struct {
    const char* text;
    uint64_t seed, hash;
  } cases[] = {
      {"", 0, 0x33717fffb5aaad9f},          {"", 1, 0x6f9918146cab47eb},
      {"a", 0, 0x28efd142eb4325e6},         {"a", ~uint64_t{0}, 0xc668550e1ddef3c5},
      {"config", 1, 0xd128c6e81e633817},    {"12345678", 0, 0x31ce79853c4b3c20},
      {"123456789", 1, 0x7f3a63d164f8a3d1}, {"amber-backend-1", 0, 0x4c6600be9639833b},
  };
  for (const auto& [text, seed, hash] : cases) EXPECT_EQ(hash64(text, seed), hash) << text;
  EXPECT_EQ(hash64(std::string(250, 'k'), 7), 0x2bf97b3928131ae6u);
  EXPECT_EQ(mix64(0, 0), 0xc9d874ca57d9e055u);
  EXPECT_EQ(mix64(1, 2), 0xbd6066e6b2aeea0cu);
}

TEST(SlotOf, KeepsItsValues) {
  EXPECT_EQ(slot_of(1, "config"), 14359);
  EXPECT_EQ(slot_of(2, "config"), 7555);
  EXPECT_EQ(slot_of(1, "user:1"), 834);
  EXPECT_EQ(slot_of(1, "user:2"), 1481);
  EXPECT_EQ(slot_of(4294967295u, std::string_view("\0\xff", 2)), 11439);
}

TEST(SlotOf, SpreadsSimilarKeysEvenly) {
  std::vector<int> slots(kSlotCount);
  constexpr int kKeys = 64 * kSlotCount;
  for (int i = 0; i < kKeys; ++i) ++slots[slot_of(1, "user:" + std::to_string(i))];
  double chi = 0;
  for (const int n : slots) chi += (n - 64.0) * (n - 64.0) / 64.0;
  // Chi-squared with 16,383 degrees of freedom: mean 16,383, standard deviation 181.
  EXPECT_NEAR(chi, 16383, 6 * 181);
}

TEST(NextTable, KeepsItsValues) {
  const EpochTable table =
      next_table({}, 1, {{"amber-backend-1", 1}, {"amber-backend-2", 1}, {"amber-backend-3", 2}});
  uint64_t hash = 0;
  for (const uint16_t owner : table.owner) hash = mix64(hash, owner);
  EXPECT_EQ(hash, 0xdd352fde56b80528u);
}

TEST(NextTable, GivesEachBackendItsWeightsShare) {
  const EpochTable table = next_table({}, 1, {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 2}});
  const auto shares = share_of_each(table);
  for (size_t i = 0; i < shares.size(); ++i) {
    const double expected = kSlotCount * table.backends[i].weight / 8.0;
    EXPECT_NEAR(static_cast<double>(shares[i]), expected, 0.06 * expected) << i;
  }
}

TEST(NextTable, MovesOnlyTheSlotsOfABackendThatLeaves) {
  const EpochTable before = three();
  const EpochTable after = next_table(before, 2, {{"a", 1}, {"b", 0}, {"c", 1}});
  for (size_t slot = 0; slot < kSlotCount; ++slot) {
    if (owner_id(before, slot) == "b") {
      EXPECT_EQ(after.since[slot], 2u);
      EXPECT_NE(owner_id(after, slot), "b");
    } else {
      EXPECT_EQ(owner_id(after, slot), owner_id(before, slot));
      EXPECT_EQ(after.since[slot], 1u);
    }
  }
}

TEST(NextTable, MovesOnlyToABackendThatJoins) {
  const EpochTable before = three();
  const EpochTable after = next_table(before, 2, {{"d", 1}, {"c", 1}, {"b", 1}, {"a", 1}});
  size_t moved = 0;
  for (size_t slot = 0; slot < kSlotCount; ++slot) {
    if (owner_id(after, slot) == owner_id(before, slot)) continue;
    EXPECT_EQ(owner_id(after, slot), "d");
    ++moved;
  }
  EXPECT_NEAR(static_cast<double>(moved), kSlotCount / 4.0, 0.06 * kSlotCount / 4);
}

TEST(NextTable, SlotThatComesBackToItsOwnerHasANewSince) {
  const EpochTable first = three();
  const EpochTable second = next_table(first, 2, {{"a", 1}, {"b", 0}, {"c", 1}});
  const EpochTable third = next_table(second, 3, {{"a", 1}, {"b", 1}, {"c", 1}});
  EXPECT_EQ(third.owner, first.owner);
  for (size_t slot = 0; slot < kSlotCount; ++slot) {
    EXPECT_EQ(third.since[slot], owner_id(first, slot) == "b" ? 3u : 1u);
  }
}

TEST(NextTable, SinceNeverGoesBackOverRandomHistories) {
  std::mt19937 random(20261123);
  EpochTable table;
  Epoch epoch = 0;
  for (int change = 0; change < 60; ++change) {
    std::vector<TableBackend> backends;
    for (const char* id : {"a", "b", "c", "d"}) {
      if (random() % 4 != 0) backends.push_back({id, static_cast<uint32_t>(random() % 3)});
    }
    std::shuffle(backends.begin(), backends.end(), random);
    epoch += 1 + random() % 3;
    const EpochTable next = next_table(table, epoch, backends);
    for (size_t slot = 0; slot < kSlotCount; ++slot) {
      ASSERT_LE(next.since[slot], epoch);
      if (table.epoch == 0) continue;
      ASSERT_GE(next.since[slot], table.since[slot]);
      const bool same = owner_id(table, slot) == owner_id(next, slot);
      ASSERT_EQ(next.since[slot] == table.since[slot], same);
      ASSERT_EQ(slot_moves(table, next, static_cast<Slot>(slot)), !same);
    }
    table = next;
  }
}

TEST(NextTable, WithoutWeightNobodyOwnsAnything) {
  const EpochTable table = next_table(three(), 2, {{"a", 0}});
  EXPECT_EQ(std::set<uint16_t>(table.owner.begin(), table.owner.end()),
            std::set<uint16_t>{EpochTable::kNoOwner});
  const EpochTable still = next_table(table, 3, {});
  EXPECT_FALSE(slot_moves(table, still, 0));
  EXPECT_TRUE(slot_moves(three(), table, 0));
}

TEST(SlotMoves, EverySlotMovesFromAnEmptyTable) {
  EXPECT_TRUE(slot_moves({}, three(), 7));
}

TEST(TableJson, ReadsBackTheSameTable) {
  const EpochTable table = next_table(three(), 70000, {{"a", 1}, {"b", 0}, {"new", 1000000}});
  const auto read = parse_table(to_json(table));
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read->epoch, 70000u);
  EXPECT_EQ(read->owner, table.owner);
  EXPECT_EQ(read->since, table.since);
  ASSERT_EQ(read->backends.size(), 3u);
  EXPECT_EQ(read->backends[2].id, "new");
  EXPECT_EQ(read->backends[2].weight, 1000000u);
  EXPECT_EQ(to_json(*read), to_json(table));
}

TEST(TableJson, RejectsWhatIsNotATableAndSaysWhy) {
  EpochTable stranger = three();
  stranger.owner[5] = 3;
  EpochTable future = three();
  future.since[5] = 2;
  const std::pair<std::string, const char*> cases[] = {
      {"", "JSON object"},
      {"[]", "JSON object"},
      {"{\"epoch\":1", "JSON object"},
      {std::string(100'000, '['), "JSON object"},
      {"{}", "epoch"},
      {altered("\"epoch\":1", "\"epoch\":-1"), "epoch"},
      {altered("\"epoch\":1", "\"epoch\":4294967296"), "epoch"},
      {altered("\"epoch\":1", "\"epoch\":1.5"), "epoch"},
      {altered("\"epoch\":1", "\"epoch\":\"1\""), "epoch"},
      {altered("\"backends\"", "\"backend\""), "backends"},
      {altered("{\"id\":\"a\"", "{\"id\":\"\""), "backends"},
      {altered("{\"id\":\"a\",\"weight\":1}", "7"), "backends"},
      {altered("\"weight\":1", "\"weight\":1000001"), "backends"},
      {altered("\"owner\":\"", "\"owner\":\"AAAA"), "owner"},
      {altered("\"owner\":\"", "\"owner\":\"!"), "owner"},
      {altered("\"since\":\"", "\"since\":\"AAAA"), "since"},
      {altered("\"since\"", "\"sinces\""), "since"},
      {to_json(stranger), "not listed"},
      {to_json(future), "later than the epoch"},
  };
  for (const auto& [text, why] : cases) {
    const auto read = parse_table(text);
    ASSERT_FALSE(read.ok()) << text.substr(0, 80);
    EXPECT_EQ(read.code(), ErrorCode::kInvalid);
    EXPECT_NE(read.error().context.find(why), std::string::npos) << read.error().context;
  }
}

}  // namespace
}  // namespace base
