#include "cli/replay/csv_reader.h"

#include <gtest/gtest.h>

#include "tests/unit/cli/replay/text_source.h"

namespace cli {
namespace {

// "a|b" per row; an error ends it.
std::vector<std::string> rows_of(const std::string& text, size_t piece = 1 << 20) {
  test::TextSource source(text, piece);
  CsvReader reader(source, "x.csv");
  std::vector<std::string> rows;
  while (true) {
    auto more = reader.next();
    if (!more) {
      rows.push_back("error " + more.error().context);
      return rows;
    }
    if (!*more) return rows;
    std::string row;
    for (const auto& field : reader.fields()) {
      row += (&field == reader.fields().data() ? "" : "|") + std::string(field.text);
    }
    rows.push_back(row);
  }
}

using Rows = std::vector<std::string>;

TEST(CsvReader, ReadsWhatFilesHave) {
  EXPECT_EQ(rows_of("a,b\n1,2\n"), (Rows{"a|b", "1|2"}));
  EXPECT_EQ(rows_of("\xEF\xBB\xBF"
                    "a,b\r\n1,2\r\n"),
            (Rows{"a|b", "1|2"}));
  EXPECT_EQ(rows_of("a,b\n\n 1 , 2 \n  \n3,"), (Rows{"a|b", "1|2", "3|"}));
  EXPECT_EQ(rows_of("\"a\",\"b,c\"\n\"say \"\"no\"\"\",2"), (Rows{"a|b,c", "say \"no\"|2"}));
  EXPECT_EQ(rows_of("a,b\n\"one\ntwo\",2\n3,4\n"), (Rows{"a|b", "one\ntwo|2", "3|4"}));
  EXPECT_EQ(rows_of("a;b\n1,5;2\n"), (Rows{"a|b", "1,5|2"}));
  EXPECT_EQ(rows_of("a\tb\n1\t2\n"), (Rows{"a|b", "1|2"}));
  EXPECT_EQ(rows_of(""), Rows{});
  EXPECT_EQ(rows_of("\n\r\n"), Rows{});
}

TEST(CsvReader, ReadsTheSameHoweverTheBytesCome) {
  const std::string text = "\xEF\xBB\xBF\"t\",v,x\r\n\r\n1,\"2\"\"\n3\",4\r\n5,6,7\n\"8\",9,\"\"";
  const Rows whole = rows_of(text);
  ASSERT_EQ(whole.size(), 4U);
  for (size_t piece = 1; piece <= text.size(); ++piece) EXPECT_EQ(rows_of(text, piece), whole);
}

TEST(CsvReader, NamesLineAndColumnOfWhatIsBroken) {
  EXPECT_EQ(rows_of("a,b\n1,\"2\"x\n").back(),
            "error x.csv:2:6: expected a separator after a quoted field");
  EXPECT_EQ(rows_of("a,b\n\"1,2\n3").back(),
            "error x.csv:2:1: expected the end of a quoted field, got the end of the file");
  EXPECT_EQ(rows_of("a,b\n" + std::string(2 << 20, 'x')).back(),
            "error x.csv:2:1: expected a line of at most 1048576 bytes");
}

TEST(CsvReader, CountsLinesWithinQuotes) {
  test::TextSource source("a,b\n\"1\n\n\",2\n3,4\n");
  CsvReader reader(source, "x.csv");
  const uint64_t lines[] = {1, 2, 5};
  for (const uint64_t line : lines) {
    ASSERT_TRUE(reader.next().value());
    EXPECT_EQ(reader.line(), line);
  }
}

}  // namespace
}  // namespace cli
