#include "base/telemetry/log_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace base::log {
namespace {

constexpr WallTime kAt{1'795'418'897'042'000'000};

using List = std::initializer_list<Field>;

std::string text(const List& fields, Level level, Format format) {
  return format_line({kAt, level, "backend_down", Fields(fields.begin(), fields.size())}, format);
}
std::string logfmt(const List& fields, Level level = Level::kWarn) {
  return text(fields, level, Format::kLogfmt);
}
std::string json(const List& fields) {
  return text(fields, Level::kError, Format::kJson);
}
// The text after the event in logfmt, without the newline.
std::string value_of(std::string_view value) {
  const std::string line = logfmt({{"v", value}});
  const size_t at = line.find(" v=");
  return line.substr(at + 3, line.size() - at - 4);
}

TEST(LogFormat, WritesTimeLevelEventAndFields) {
  EXPECT_EQ(logfmt({{"backend", "amber-backend-1"}, {"port", 11214}, {"share", 0.15}}),
            "time=2026-11-23T07:28:17.042Z level=warn event=backend_down "
            "backend=amber-backend-1 port=11214 share=0.15\n");
  EXPECT_EQ(json({{"backend", "amber-backend-1"}, {"port", -3}, {"share", 0.15}}),
            "{\"time\":\"2026-11-23T07:28:17.042Z\",\"level\":\"error\",\"event\":\"backend_down\","
            "\"backend\":\"amber-backend-1\",\"port\":-3,\"share\":0.15}\n");
}

struct Described {
  int* calls;
  std::string to_string() const { return "seen " + std::to_string(++*calls); }
};

TEST(LogFormat, AsksAnObjectForItsTextOnlyWhenItWritesIt) {
  int calls = 0;
  const Described object{&calls};
  const Field field("what", object);
  EXPECT_EQ(calls, 0);
  EXPECT_NE(logfmt({field}).find("what=\"seen 1\"\n"), std::string::npos);
}

TEST(LogFormat, WritesAnEntryOfTheJournal) {
  const std::string entry = text({{"backend", "amber 1"}, {"in.flight", 3}, {"why", "a\nb"}},
                                 Level::kWarn, Format::kJournal);
  EXPECT_EQ(
      entry.find("MESSAGE=event=backend_down backend=\"amber 1\" in.flight=3 why=\"a\\nb\"\n"), 0u);
  EXPECT_NE(entry.find("\nPRIORITY=4\nSYSLOG_IDENTIFIER="), std::string::npos);
  EXPECT_NE(
      entry.find("\nMCGUARD_EVENT=backend_down\nMCGUARD_BACKEND=amber 1\nMCGUARD_IN_FLIGHT=3\n"
                 "MCGUARD_WHY=a\\nb\n"),
      std::string::npos);
}

TEST(LogFormat, AFieldOfTheJournalHoldsAnObjectsTextAsItIs) {
  int calls = 0;
  const Described object{&calls};
  const std::string entry = text({{"what", object}}, Level::kWarn, Format::kJournal);
  EXPECT_NE(entry.find("backend_down what=\"seen 1\"\n"), std::string::npos) << entry;
  EXPECT_NE(entry.find("\nMCGUARD_WHAT=seen 2\n"), std::string::npos) << entry;
}

TEST(LogFormat, AnyBytesGiveEntriesOfTheJournalWithOneFieldALine) {
  std::mt19937 random(20261124);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes(random() % 400, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string entry =
        text({{"a", bytes}, {"b", bytes}, {"c", bytes}}, Level::kError, Format::kJournal);
    ASSERT_LE(entry.size(), 2 * kMaxLine);
    ASSERT_EQ(std::count(entry.begin(), entry.end(), '\n'), 7) << entry;
    ASSERT_EQ(entry.back(), '\n');
  }
}

TEST(LogFormat, QuotesAndEscapesLogfmtValuesOnlyWhereNeeded) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"plain-1.2:3/4", "plain-1.2:3/4"},
      {"", "\"\""},
      {"two words", "\"two words\""},
      {"a=b", "\"a=b\""},
      {"say \"hi\"", "\"say \\\"hi\\\"\""},
      {"back\\slash", "\"back\\\\slash\""},
      {"new\nline\ttab\rreturn", "\"new\\nline\\ttab\\rreturn\""},
      {"esc\x1b[31m", "\"esc\\u001b[31m\""},
      {std::string_view("nul\0", 4), "\"nul\\u0000\""},
      {"del\x7f", "\"del\\u007f\""},
      {"grüße→", "grüße→"},
      {"bad\xff", "\"bad\\\\xff\""},
      {"cut\xe2\x82", "\"cut\\\\xe2\\\\x82\""},
      {"overlong\xc0\xaf", "\"overlong\\\\xc0\\\\xaf\""},
      {"surrogate\xed\xa0\x80", "\"surrogate\\\\xed\\\\xa0\\\\x80\""},
      {"c1\xc2\x85", "\"c1\\\\xc2\\\\x85\""},
      {"bidi\xe2\x80\xae", "\"bidi\\\\xe2\\\\x80\\\\xae\""},
      {"emoji\xf0\x9f\x94\xa5", "emoji\xf0\x9f\x94\xa5"},
  };
  for (const auto& [value, expected] : cases) EXPECT_EQ(value_of(value), expected);
}

TEST(LogFormat, NumbersOfEveryKindAreWritten) {
  EXPECT_NE(logfmt({{"n", std::numeric_limits<int64_t>::min()}}).find("n=-9223372036854775808\n"),
            std::string::npos);
  EXPECT_NE(logfmt({{"n", true}}).find("n=1\n"), std::string::npos);
  EXPECT_NE(logfmt({{"n", std::nan("")}}).find("n=nan\n"), std::string::npos);
  EXPECT_NE(json({{"n", std::numeric_limits<double>::infinity()}}).find("\"n\":\"inf\"}"),
            std::string::npos);
}

TEST(LogFormat, LongValueEndsInAnEllipsisAtTwoHundredBytes) {
  EXPECT_EQ(value_of(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(value_of(std::string(201, 'x')), std::string(197, 'x') + "…");
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  const std::string cut = value_of(umlauts);
  EXPECT_LE(cut.size(), 200u);
  EXPECT_EQ(cut.substr(cut.size() - 5), "ü…");
  EXPECT_LE(value_of(std::string(4000, '\n')).size(), 202u);
}

TEST(LogFormat, FieldsThatDoNotFitAreLeftOutAndTheLineSaysSo) {
  const std::string big(200, 'x');
  const std::string line =
      logfmt({{"a", big}, {"b", big}, {"c", big}, {"d", big}, {"e", big}, {"f", "small"}});
  EXPECT_LE(line.size(), kMaxLine);
  EXPECT_EQ(line.substr(line.size() - 16), " truncated=true\n");
  EXPECT_EQ(line.find(" f="), std::string::npos);
}

TEST(LogFormat, NamesCannotBreakTheLine) {
  EXPECT_NE(logfmt({{"a b\"\n", 1}}).find(" a_b__=1\n"), std::string::npos);
  EXPECT_NE(logfmt({{"", 1}}).find(" _=1\n"), std::string::npos);
}

TEST(LogFormat, AnyBytesGiveOneLineOfValidJson) {
  std::mt19937 random(20261123);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes(random() % 260, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string line =
        json({{"a", bytes}, {"b", bytes}, {"c", bytes}, {"d", bytes}, {"e", bytes}});
    ASSERT_LE(line.size(), kMaxLine);
    ASSERT_EQ(line.find('\n'), line.size() - 1);
    boost::json::error_code failed;
    boost::json::parse(line, failed);
    ASSERT_FALSE(failed) << line;
  }
}

}  // namespace
}  // namespace base::log
