#include "base/memcache/client_number.h"

#include <gtest/gtest.h>

#include <limits>

namespace base::memcache {
namespace {

TEST(ClientNumber, AcceptsWhatStrtolAccepts) {
  int64_t value = 0;
  EXPECT_TRUE(read_client_i32("12", value) && value == 12);
  EXPECT_TRUE(read_client_i32("-12", value) && value == -12);
  EXPECT_TRUE(read_client_i32("+12", value) && value == 12);
  EXPECT_TRUE(read_client_i32("\t12", value) && value == 12);
  EXPECT_TRUE(read_client_i32("12\tx", value) && value == 12);
  EXPECT_TRUE(read_client_i32("0012", value) && value == 12);
}

TEST(ClientNumber, RefusesWhatStrtolRefuses) {
  int64_t value = 0;
  for (const std::string_view text :
       {"", "-", "+", "x", "12x", "\t", "--1", "1.5", "9223372036854775808", "-9223372036854775809",
        "99999999999999999999999"}) {
    EXPECT_FALSE(read_client_i32(text, value)) << text;
  }
}

TEST(ClientNumber, CutsSignedNumbersToThirtyTwoBits) {
  int64_t value = 0;
  EXPECT_TRUE(read_client_i32("2147483648", value));
  EXPECT_EQ(value, std::numeric_limits<int32_t>::min());
  EXPECT_TRUE(read_client_i32("4294967297", value));
  EXPECT_EQ(value, 1);
  EXPECT_TRUE(read_client_i32("-9223372036854775808", value));
  EXPECT_EQ(value, 0);
}

TEST(ClientNumber, CutsFlagsToThirtyTwoBits) {
  uint32_t value = 1;
  EXPECT_TRUE(read_client_u32("4294967296", value));
  EXPECT_EQ(value, 0u);
  EXPECT_FALSE(read_client_u32("-1", value));
}

TEST(ClientNumber, RefusesNegativeUnsignedNumbersUnlessTheyWrapIntoTheLowerHalf) {
  uint64_t value = 0;
  EXPECT_FALSE(read_client_u64("-1", value));
  EXPECT_TRUE(read_client_u64("-18446744073709551615", value));
  EXPECT_EQ(value, 1u);
  EXPECT_TRUE(read_client_u64("18446744073709551615", value));
  EXPECT_EQ(value, std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(read_client_u64("18446744073709551616", value));
}

}  // namespace
}  // namespace base::memcache
