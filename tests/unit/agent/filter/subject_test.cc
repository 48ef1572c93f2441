#include "agent/filter/subject.h"

#include <gtest/gtest.h>

namespace agent::filter {
namespace {

Subject at(std::string_view text) {
  return *Subject::parse(text);
}

TEST(Subject, IsOneIpv4AddressOrOneIpv6Network) {
  EXPECT_EQ(at("10.0.0.7").text(), "10.0.0.7/32");
  EXPECT_EQ(at("10.0.0.7/32"), at("10.0.0.7"));
  EXPECT_EQ(at("::ffff:10.0.0.7"), at("10.0.0.7"));
  EXPECT_EQ(at("2001:db8:0:1:aaaa::7").text(), "2001:db8:0:1::/64");
  EXPECT_EQ(at("2001:db8:0:1::/64"), at("2001:db8:0:1:5:6:7:8/128"));
  EXPECT_NE(at("2001:db8:0:1::"), at("2001:db8:0:2::"));
}

TEST(Subject, IsNeverWider) {
  for (const char* text : {"10.0.0.0/31", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/63", "::/0"}) {
    const auto parsed = Subject::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.code(), base::ErrorCode::kRefused) << text;
  }
}

TEST(Subject, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "/32", "10.0.0.7/", "10.0.0.7/33", "10.0.0.7/-1", "10.0.0.7/32x",
                           "2001:db8::/129", "amber-proxy-1", "10.0.0.7 ", "10.0.0.7\n"}) {
    const auto parsed = Subject::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.code(), base::ErrorCode::kInvalid) << text;
  }
}

TEST(Subject, ReadsAddressesAsTelemetryHasThem) {
  EXPECT_EQ(Subject::of(std::array<uint64_t, 2>{0, 0xffff0a000007ULL}), at("10.0.0.7"));
  EXPECT_EQ(Subject::of(std::array<uint64_t, 2>{0x20010db800000001ULL, 0x1234}),
            at("2001:db8:0:1::"));
}

TEST(Subject, KnowsAddressesOfNoSingleHost) {
  for (const char* text : {"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.1.1",
                           "::1", "::", "fe80::1", "febf::1", "ff02::1", "2001::1", "64:ff9b::1"}) {
    EXPECT_TRUE(at(text).is_shared_by_design()) << text;
  }
  for (const char* text : {"10.0.0.7", "100.64.0.1", "2001:db8::1", "fd00::1", "128.0.0.1"}) {
    EXPECT_FALSE(at(text).is_shared_by_design()) << text;
  }
}

}  // namespace
}  // namespace agent::filter
