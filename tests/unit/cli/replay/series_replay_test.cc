#include "cli/replay/series_replay.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cmath>
#include <fstream>
#include <iterator>

#include "base/net/fd.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/cli/replay/text_source.h"

namespace cli {
namespace {

struct Outcome {
  base::Result<SeriesCount> count;
  std::string out;
};

Outcome replay(const std::string& text, SeriesOptions options = {},
               RowFormat format = RowFormat::kCsv, bool with_reason = false) {
  test::TempDir dir;
  const std::string path = dir.file("out");
  base::Result<SeriesCount> count;
  {
    base::net::UniqueFd fd(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    RowWriter writer(fd.get(), format, with_reason);
    test::TextSource source(text, 7);
    CsvReader reader(source, "x.csv");
    SeriesReplay series(reader, writer, std::move(options), [](uint64_t) {});
    count = series.run();
    if (!count) {
      EXPECT_TRUE(writer.flush());
    }
  }
  std::ifstream in(path);
  return {std::move(count), std::string(std::istreambuf_iterator<char>(in), {})};
}

TEST(SeriesReplay, AddsAScoreToEachRowAsItWasWritten) {
  const Outcome outcome = replay(
      "value,host,timestamp\n1.50,a,2026-01-05 00:00:00\n,a,2026-01-05 "
      "00:05:00\nNaN,a,\"2026-01-05 00:10:00\"\n");
  ASSERT_TRUE(outcome.count);
  EXPECT_EQ(outcome.count->rows, 3U);
  EXPECT_EQ(outcome.count->missing, 2U);
  EXPECT_EQ(outcome.out.substr(0, outcome.out.find('\n')), "timestamp,value,anomaly_score");
  EXPECT_NE(outcome.out.find("\n2026-01-05 00:00:00,1.50,0."), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\n2026-01-05 00:05:00,,0."), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\n2026-01-05 00:10:00,NaN,0."), std::string::npos) << outcome.out;
}

TEST(SeriesReplay, TakesAFileWithoutAHeader) {
  const Outcome outcome = replay("1767571200,5\n1767571260,6\n");
  ASSERT_TRUE(outcome.count);
  EXPECT_EQ(outcome.count->rows, 2U);
}

TEST(SeriesReplay, TakesOtherColumnsByName) {
  SeriesOptions options;
  options.time_column = "Time";
  options.value_column = "p99";
  const Outcome outcome = replay("time,p50,P99\n1767571200,5,9\n", options);
  ASSERT_TRUE(outcome.count);
  EXPECT_NE(outcome.out.find("1767571200,9,"), std::string::npos);
}

TEST(SeriesReplay, WritesJsonThatParses) {
  const Outcome outcome =
      replay("timestamp,value\n\"2026-01-05\",+1.5\n2026-01-06,null\n", {}, RowFormat::kJson, true);
  const auto rows = boost::json::parse(outcome.out).as_array();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("timestamp").as_string(), "2026-01-05");
  EXPECT_EQ(rows[0].at("value").to_number<double>(), 1.5);
  EXPECT_TRUE(rows[1].at("value").is_null());
  EXPECT_EQ(rows[1].at("reason").as_string(), "none");
  const Outcome empty = replay("timestamp,value\n", {}, RowFormat::kJson);
  EXPECT_TRUE(boost::json::parse(empty.out).as_array().empty());
}

TEST(SeriesReplay, NamesWhatIsWrongAndWhereAndKeepsWhatWasScored) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"timestamp,value\n1767571200,1\nsoon,2\n",
       "x.csv:3:1: timestamp \"soon\": expected RFC 3339, YYYY-MM-DD HH:MM:SS, or a number since "
       "1970"},
      {"timestamp,value\n1767571200,1\n1767571260, 2x\n",
       "x.csv:3:13: value \"2x\": expected a finite number, or nothing or NaN for a missing one"},
      {"timestamp,value\n1767571200,1\n1767571260,inf\n",
       "x.csv:3:12: value \"inf\": expected a finite number, or nothing or NaN for a missing one"},
      {"timestamp,value\n1767571200,1\n1767571260\n",
       "x.csv:3:1: expected at least 2 fields, got 1"},
  };
  for (const auto& [text, error] : cases) {
    const Outcome outcome = replay(text);
    ASSERT_FALSE(outcome.count);
    EXPECT_EQ(outcome.count.error().context, error);
    EXPECT_NE(outcome.out.find("\n1767571200,1,0."), std::string::npos);
  }
  EXPECT_EQ(replay("time,x\n1,2\n").count.error().context,
            "x.csv:1:1: expected a header with the column \"timestamp\", got \"time\", \"x\"; name "
            "others with --time-column and --value-column");
}

TEST(SeriesReplay, LeavesBadRowsOutWhenToldTo) {
  SeriesOptions options;
  options.skip_bad = true;
  const Outcome outcome = replay(
      "timestamp,value\n1767571200,1\nsoon,2\n1767571260,x\n\"1\"2,3\n1767571320,3\n\"open,1\n",
      options);
  ASSERT_TRUE(outcome.count);
  EXPECT_EQ(outcome.count->rows, 2U);
  EXPECT_EQ(outcome.count->bad, 4U);
  EXPECT_TRUE(outcome.count->first_bad.starts_with("x.csv:3:1: timestamp \"soon\""));
}

TEST(SeriesReplay, GivesTheSameBytesEachTime) {
  std::string text = "timestamp,value\n";
  for (int i = 0; i < 3000; ++i) {
    text += std::to_string(1767571200 + i * 60) + "," + std::to_string(i * 7919 % 101) + "\n";
  }
  EXPECT_EQ(replay(text).out, replay(text).out);
}

TEST(ParseValue, KnowsNumbersAndTheirAbsence) {
  EXPECT_EQ(parse_value("1e3"), 1000);
  EXPECT_EQ(parse_value("+.5"), 0.5);
  EXPECT_EQ(parse_value("1e-400"), 0.0);
  for (const char* text : {"", "NaN", "NULL", "n/a", "None", "-"}) {
    ASSERT_TRUE(parse_value(text)) << text;
    EXPECT_TRUE(std::isnan(*parse_value(text))) << text;
  }
  for (const char* text : {"x", "1,5", "1 2", "1e400", "-inf", "--1", "0x1"}) {
    EXPECT_FALSE(parse_value(text)) << text;
  }
}

}  // namespace
}  // namespace cli
