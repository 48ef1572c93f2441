#include "proxy/ring/view.h"

#include <gtest/gtest.h>

namespace proxy::ring {
namespace {

std::vector<BackendRef> backends() {
  BackendRef a, b;
  a.id = "a", a.index = 3, a.hash = 11;
  b.id = "b", b.index = 1, b.hash = 22;
  return {a, b};
}

TEST(View, WithoutACommittedTableEverySlotIsMoving) {
  const auto view = compile_view(nullptr, nullptr, 0, backends());
  for (const SlotEntry& entry : view->slots) EXPECT_TRUE(entry.moving);
}

TEST(View, NamesOwnersByTheirStableIndex) {
  const auto table = base::next_table({}, 1, {{"a", 1}, {"b", 1}, {"gone", 1}});
  const auto view = compile_view(&table, nullptr, 0, backends());
  for (uint32_t s = 0; s < base::kSlotCount; ++s) {
    const std::string& owner = table.backends[table.owner[s]].id;
    const uint16_t expected = owner == "a" ? 3 : owner == "b" ? 1 : kNoBackend;
    ASSERT_EQ(view->slots[s], (SlotEntry{1, expected, false})) << s;
  }
  EXPECT_EQ(view->owner_hash[3], 11u);
  EXPECT_EQ(view->owner_hash[1], 22u);
}

TEST(View, ExactlyTheSlotsThatDifferAreMoving) {
  const auto first = base::next_table({}, 1, {{"a", 1}, {"b", 1}});
  const auto second = base::next_table(first, 2, {{"a", 1}, {"b", 0}});
  const auto view = compile_view(&first, &second, 0, backends());
  size_t moving = 0;
  for (uint32_t s = 0; s < base::kSlotCount; ++s) {
    const bool differs = base::slot_moves(first, second, static_cast<base::Slot>(s));
    ASSERT_EQ(view->slots[s].moving, differs);
    ASSERT_EQ(view->slots[s].since, 1u);
    moving += differs ? 1 : 0;
  }
  EXPECT_GT(moving, base::kSlotCount / 3);
  EXPECT_LT(moving, base::kSlotCount * 2 / 3);
  EXPECT_EQ(view->known, 2u);
}

}  // namespace
}  // namespace proxy::ring
