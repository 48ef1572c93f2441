#include "base/core/text.h"

#include <gtest/gtest.h>

#include "base/core/rng.h"

namespace base {
namespace {

TEST(Base64, MatchesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Base64, ReadsBackAnyBytes) {
  for (size_t size = 0; size < 100; ++size) {
    const std::string bytes = random_bytes(size);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(hex_decode(hex_encode(bytes)), bytes);
  }
}

TEST(Base64, AcceptsExactlyOneSpellingOfEachText) {
  for (const char* wrong : {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==",
                            "Zm9v\n", "Zm-v", "=m9v"}) {
    EXPECT_EQ(base64_decode(wrong), std::nullopt) << wrong;
  }
}

TEST(Hex, IsLowerCaseAndReadsBothCases) {
  EXPECT_EQ(hex_encode(std::string_view("\x00\xab\xff", 3)), "00abff");
  EXPECT_EQ(hex_decode("00ABff"), std::string("\x00\xab\xff", 3));
  for (const char* wrong : {"0", "0g", " 0", "0x00"}) EXPECT_EQ(hex_decode(wrong), std::nullopt);
}

TEST(ParseU64, TakesWholePlainDecimals) {
  EXPECT_EQ(parse_u64("0"), 0u);
  EXPECT_EQ(parse_u64("18446744073709551615"), ~uint64_t{0});
  for (const char* wrong : {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616"}) {
    EXPECT_EQ(parse_u64(wrong), std::nullopt) << wrong;
  }
}

TEST(ParseHostPort, ReadsNamesAndBothAddressFamilies) {
  EXPECT_EQ(parse_host_port("127.0.0.1:80")->host, "127.0.0.1");
  EXPECT_EQ(parse_host_port("127.0.0.1:80")->port, 80);
  EXPECT_EQ(parse_host_port("[::1]:65535")->host, "::1");
  EXPECT_EQ(parse_host_port("cache.example:1")->host, "cache.example");
  for (const char* wrong :
       {"", "host", "host:", ":80", "host:0", "host:65536", "::1:80", "[]:80", "host:8o"}) {
    EXPECT_FALSE(parse_host_port(wrong).has_value()) << wrong;
  }
}

TEST(Printable, ShowsControlBytesAsHexAndCutsWithAnEllipsis) {
  EXPECT_EQ(printable("plain text"), "plain text");
  EXPECT_EQ(printable(std::string_view("a\0\n\x7f\xff", 5)), "a\\x00\\x0a\\x7f\\xff");
  EXPECT_EQ(printable("abcdef", 3), "abc…");
  EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(Rng, GivesAsManyBytesAsAskedAndNeverTheSame) {
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(1000).size(), 1000u);
  EXPECT_EQ(random_hex(16).size(), 32u);
  EXPECT_TRUE(hex_decode(random_hex(16)).has_value());
  EXPECT_NE(random_hex(16), random_hex(16));
  EXPECT_NE(random_u64(), random_u64());
}

}  // namespace
}  // namespace base
