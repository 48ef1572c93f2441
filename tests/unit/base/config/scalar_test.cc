#include "base/config/scalar.h"

#include <gtest/gtest.h>

#include <limits>

namespace base::config {
namespace {

TEST(Scalar, IntegersArePlainDecimals) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-17"), -17);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  for (const char* wrong : {"", "-", "-0", "+1", "010", "0x10", "1_000", "1.0", "1e3", " 1", "1 ",
                            "9223372036854775808", "ten", "१"}) {
    EXPECT_EQ(parse_integer(wrong), std::nullopt) << wrong;
  }
}

TEST(Scalar, NumbersAreFiniteDecimals) {
  EXPECT_EQ(parse_number("0.15"), 0.15);
  EXPECT_EQ(parse_number("-2"), -2.0);
  EXPECT_EQ(parse_number("1.5e3"), 1500.0);
  EXPECT_EQ(parse_number("1e-3"), 0.001);
  for (const char* wrong : {"", ".5", "5.", "1e", "1e+", "nan", ".inf", "inf", "1e999", "00.5",
                            "0x1p3", "1.5.2", "1,5", "-", "+1"}) {
    EXPECT_EQ(parse_number(wrong), std::nullopt) << wrong;
  }
}

TEST(Scalar, DurationsNameTheirUnit) {
  EXPECT_EQ(parse_duration("40us"), 40us);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("3s"), 3s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  for (const char* wrong : {"", "0", "5", "s", "-1s", "1.5s", "05s", "1 s", "1S", "1min", "1h30m",
                            "106752d", "99999999999999999999s"}) {
    EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
  }
}

TEST(Scalar, SizesAreBytesOrBinaryUnits) {
  EXPECT_EQ(parse_bytes("512"), 512u);
  EXPECT_EQ(parse_bytes("64KiB"), 65536u);
  EXPECT_EQ(parse_bytes("100MiB"), 104857600u);
  EXPECT_EQ(parse_bytes("1GiB"), 1073741824u);
  EXPECT_EQ(parse_bytes("2TiB"), 2199023255552u);
  for (const char* wrong :
       {"", "KiB", "64K", "64KB", "64kib", "-1", "1.5GiB", "08", "16777216TiB"}) {
    EXPECT_EQ(parse_bytes(wrong), std::nullopt) << wrong;
  }
}

TEST(Scalar, SharesArePercentOrFraction) {
  EXPECT_DOUBLE_EQ(*parse_share("15%"), 0.15);
  EXPECT_DOUBLE_EQ(*parse_share("0.15"), 0.15);
  EXPECT_DOUBLE_EQ(*parse_share("12.5%"), 0.125);
  for (const char* wrong : {"", "%", "15 %", "15%%"}) EXPECT_FALSE(parse_share(wrong)) << wrong;
}

TEST(Scalar, TextsAreExactAndReadBackAsTheSameValue) {
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(2min), "2m");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(48h), "2d");
  EXPECT_EQ(duration_text(0s), "0s");
  EXPECT_EQ(bytes_text(65536), "64KiB");
  EXPECT_EQ(bytes_text(1000), "1000");
  EXPECT_EQ(bytes_text(0), "0");
  EXPECT_EQ(bytes_text(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(number_text(0.1), "0.1");
  for (const Duration d : {Duration(1us), Duration(7ms), Duration(61s), Duration(25h)}) {
    EXPECT_EQ(parse_duration(duration_text(d)), d);
  }
}

TEST(Scalar, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> names = {"listen", "limits", "log", "workers"};
  EXPECT_EQ(did_you_mean("lsiten", names), "listen");
  EXPECT_EQ(did_you_mean("worker", names), "workers");
  EXPECT_EQ(did_you_mean("lgo", names), "log");
  EXPECT_EQ(did_you_mean("telemetry", names), "");
  EXPECT_EQ(did_you_mean("", names), "");
  EXPECT_EQ(did_you_mean(std::string(100'000, 'x'), names), "");
}

}  // namespace
}  // namespace base::config
