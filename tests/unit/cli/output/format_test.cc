#include "cli/output/format.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace cli {
namespace {

using namespace std::chrono_literals;

TEST(Format, CountsHaveThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_rate(0.25), "0.2");
  EXPECT_EQ(format_rate(1234), "1,234");
}

TEST(Format, SizesTimesAndSharesAreForPeople) {
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1536 * 1024), "1.5 MiB");
  EXPECT_EQ(format_latency(0), "-");
  EXPECT_EQ(format_latency(0.00034), "340 µs");
  EXPECT_EQ(format_latency(0.012), "12.0 ms");
  EXPECT_EQ(format_share(0.15), "15.0%");
  EXPECT_EQ(format_age(90s), "90s");
  EXPECT_EQ(format_age(10min), "10m");
  EXPECT_EQ(format_age(72h), "3d");
  EXPECT_EQ(format_age(-5s), "0s");
}

TEST(Format, ReadsTheTimesThatWeWrite) {
  const base::WallTime at{1'795'418'897'042'000'000};
  EXPECT_EQ(parse_time(at.to_rfc3339()), at);
  EXPECT_EQ(format_since(at.to_rfc3339(), at + 30s), "30s");
  EXPECT_EQ(format_since("soon", at), "soon");
  EXPECT_FALSE(parse_time("2026-11-23").has_value());
}

TEST(Format, ParsesDelays) {
  const auto range = parse_delay("5ms..15ms");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->min, 5ms);
  EXPECT_EQ(range->max, 15ms);
  EXPECT_EQ(parse_delay("1.5s")->max, 1500ms);
  for (const char* text : {"", "5", "5ms..", "15ms..5ms", "-5ms", "5 ms", "ms", "1e3ms"}) {
    EXPECT_FALSE(parse_delay(text).has_value()) << text;
  }
}

TEST(Format, ParsesSharesAndSizes) {
  EXPECT_DOUBLE_EQ(*parse_share("15%"), 0.15);
  EXPECT_DOUBLE_EQ(*parse_share("0.15"), 0.15);
  for (const char* text : {"0", "101%", "1.1", "x", "", "15%%"}) {
    EXPECT_FALSE(parse_share(text).has_value()) << text;
  }
  EXPECT_EQ(parse_bytes("64MiB"), 64u << 20);
  EXPECT_FALSE(parse_bytes("64MB").has_value());
}

TEST(Format, MissingMembersReadAsNothing) {
  const auto value = boost::json::parse(R"({"a":null,"b":2,"c":"x"})");
  const boost::json::object& object = value.get_object();
  EXPECT_EQ(text_of(object, "a"), "");
  EXPECT_EQ(text_of(object, "b"), "2");
  EXPECT_EQ(text_of(object, "z"), "");
  EXPECT_EQ(number_of(object, "c"), 0);
  EXPECT_TRUE(object_of(object, "c").empty());
  EXPECT_TRUE(list_of(object, "c").empty());
}

TEST(Format, FiguresReadByTheirUnit) {
  EXPECT_EQ(format_figure(0.18823, "share of slow requests"), "18.8% of slow requests");
  EXPECT_EQ(format_figure(0.0123, "seconds"), "12.3 ms");
  EXPECT_EQ(format_figure(0, "seconds"), "0 s");
  EXPECT_EQ(format_figure(1234, "connections"), "1,234 connections");
  EXPECT_EQ(format_figure(7, ""), "7.0");
}

}  // namespace
}  // namespace cli
