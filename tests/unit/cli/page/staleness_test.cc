#include "cli/page/staleness.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace cli {
namespace {

using namespace std::chrono_literals;

constexpr base::WallTime kThen{1'795'418'897'000'000'000};

TEST(Staleness, BeginsAfterThirtySecondsWithoutAWord) {
  EXPECT_EQ(staleness(kThen, kThen + 30s), "");
  EXPECT_EQ(staleness(kThen, kThen + 31s),
            "Status unknown: no update since 2026-11-23T07:28:17.000Z");
  EXPECT_EQ(staleness(std::nullopt, kThen), "Status unknown: no update yet");
}

TEST(Staleness, ATimeFarAheadProvesNothing) {
  EXPECT_NE(staleness(kThen + 1h, kThen), "");
  EXPECT_EQ(staleness(kThen + 2s, kThen), "");
}

TEST(Staleness, ReadsMetaStrictly) {
  EXPECT_EQ(generated_at(R"({"generated_at_ns":1795418897000000000})"), kThen);
  for (const char* text : {"", "{}", "[]", R"({"generated_at_ns":"1"})", "{\"generated_at_ns\":"}) {
    EXPECT_FALSE(generated_at(text).has_value()) << text;
  }
}

TEST(Staleness, ReplacesTheStatusOfAPage) {
  const std::string html = "<p>a</p><!--status-begin--><b>All good</b><!--status-end--><p>z</p>";
  const std::string marked = mark_html(html, "Status unknown: <x>");
  EXPECT_EQ(marked.find("All good"), std::string::npos);
  EXPECT_NE(marked.find("Status unknown: &lt;x&gt;"), std::string::npos);
  EXPECT_TRUE(marked.starts_with("<p>a</p><!--status-begin-->"));
  EXPECT_TRUE(marked.ends_with("<!--status-end--><p>z</p>"));
}

TEST(Staleness, LeavesAPageWithoutMarksAlone) {
  EXPECT_EQ(mark_html("<p>a</p>", "x"), "<p>a</p>");
  EXPECT_EQ(mark_html("<!--status-end--> <!--status-begin-->", "x"),
            "<!--status-end--> <!--status-begin-->");
}

TEST(Staleness, MarksTheStatusDocuments) {
  const auto marked = boost::json::parse(
      mark_json(R"({"page":{"id":"x"},"status":{"indicator":"none","description":"ok"}})", "why"));
  EXPECT_EQ(marked.at("status").at("indicator").as_string(), "major");
  EXPECT_EQ(marked.at("status").at("description").as_string(), "why");
  EXPECT_TRUE(marked.at("page").at("stale").as_bool());
  EXPECT_EQ(marked.at("page").at("id").as_string(), "x");
  EXPECT_EQ(mark_json("nonsense", "why"), "nonsense");
}

}  // namespace
}  // namespace cli
