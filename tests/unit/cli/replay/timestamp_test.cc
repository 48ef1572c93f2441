#include "cli/replay/timestamp.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

constexpr int64_t kNs = 1'000'000'000;
constexpr int64_t kAt = 1'767'571'200;  // 2026-01-05T00:00:00Z

TEST(Timestamp, ReadsWhatFilesHave) {
  const struct {
    const char* text;
    int64_t ns;
  } cases[] = {
      {"2026-01-05T00:00:00Z", kAt * kNs},
      {"2026-01-05 00:00:00", kAt * kNs},
      {"2026-01-05T00:00:00.25Z", kAt * kNs + kNs / 4},
      {"2026-01-05 00:00:00.123456789123", kAt * kNs + 123456789},
      {"2026-01-05T02:00:00+02:00", kAt * kNs},
      {"2026-01-04 19:30:00 -0430", kAt * kNs},
      {"2026-01-05 00:00:00 UTC", kAt * kNs},
      {"2026-01-05 00:00", kAt * kNs},
      {"2026/01/05 00:00:00", kAt * kNs},
      {"2026-01-05", kAt * kNs},
      {"1767571200", kAt * kNs},
      {"1767571200.5", kAt * kNs + kNs / 2},
      {"1767571200000", kAt * kNs},
      {"1767571200000000", kAt * kNs},
      {"1767571200000000001", kAt * kNs + 1},
      {"0", 0},
      {"-60", -60 * kNs},
      {"1.7675712e9", kAt * kNs},
      {"1960-02-29", -310'521'600 * kNs},
  };
  for (const auto& [text, ns] : cases) {
    const auto at = parse_timestamp(text);
    ASSERT_TRUE(at) << text;
    EXPECT_EQ(at->ns, ns) << text;
  }
}

TEST(Timestamp, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "noon",
                           "2026",
                           "-",
                           "2026-13-01",
                           "2026-02-30",
                           "2026-01-05T",
                           "2026-01-05T1",
                           "2026-01-05T25:00:00Z",
                           "2026-01-05 00:00:00 CET",
                           "2026-01-05T00:00:00+1",
                           "2026-01-05 00:00:00.",
                           "2026-01/05",
                           "12:00",
                           "1e40",
                           "inf",
                           "nan",
                           "0x10",
                           "5 "}) {
    const auto at = parse_timestamp(text);
    // Four digits alone are a small number of seconds.
    if (std::string_view(text) == "2026") {
      EXPECT_TRUE(at);
    } else {
      EXPECT_FALSE(at) << text;
    }
  }
}

TEST(Timestamp, SurvivesEveryPrefixAndEveryByte) {
  const std::string whole = "2026-01-05T02:00:00.123+02:00";
  for (size_t size = 0; size <= whole.size(); ++size) {
    parse_timestamp(std::string_view(whole).substr(0, size));
    for (int byte = 0; byte < 256 && size < whole.size(); ++byte) {
      std::string broken = whole;
      broken[size] = static_cast<char>(byte);
      parse_timestamp(broken);
    }
  }
}

}  // namespace
}  // namespace cli
