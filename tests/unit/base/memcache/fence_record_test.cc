#include "base/memcache/fence_record.h"

#include <gtest/gtest.h>

namespace base::memcache {
namespace {

TEST(FenceRecord, IsTwoNumbersAndNothingElse) {
  const FenceRecord record{3, 14};
  EXPECT_EQ(to_text(record), "3 14");
  EXPECT_EQ(parse_fence_record("3 14"), record);
  EXPECT_TRUE(parse_fence_record("16777215 1").has_value());
  for (const char* text : {"", "3", "3 ", " 3 4", "3 4 ", "3  4", "x 4", "-1 4", "4294967296 1",
                           "16777216 1", "3 18446744073709551616"}) {
    EXPECT_EQ(parse_fence_record(text), std::nullopt) << text;
  }
}

TEST(FenceRecord, IsNewsIfEitherPartIsNewer) {
  const FenceRecord record{3, 4};
  EXPECT_TRUE(record.covers(FenceRecord{3, 4}));
  EXPECT_TRUE(record.covers(FenceRecord{2, 4}));
  EXPECT_FALSE(record.covers(FenceRecord{4, 0}));
  EXPECT_FALSE(record.covers(FenceRecord{0, 5}));
}

}  // namespace
}  // namespace base::memcache
