#include "agent/web/figures.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "agent/web/history.h"

namespace agent::web {
namespace {

using namespace std::chrono_literals;

TEST(Figures, ReadWell) {
  EXPECT_EQ(count_words(0), "0");
  EXPECT_EQ(count_words(999), "999");
  EXPECT_EQ(count_words(16384), "16,384");
  EXPECT_EQ(count_words(1250000), "1.25 M");
  EXPECT_EQ(rate_words(0.4), "0.4");
  EXPECT_EQ(rate_words(48211.5), "48,212");
  EXPECT_EQ(latency_words(0), "–");
  EXPECT_EQ(latency_words(0.000312), "312 µs");
  EXPECT_EQ(latency_words(0.00099999), "1.0 ms");
  EXPECT_EQ(latency_words(0.0042), "4.2 ms");
  EXPECT_EQ(latency_words(0.0999), "100 ms");
  EXPECT_EQ(latency_words(1.26), "1.3 s");
  EXPECT_EQ(share_words(0), "0 %");
  EXPECT_EQ(share_words(0.021), "2.1 %");
  EXPECT_EQ(share_words(0.15), "15 %");
  EXPECT_EQ(bytes_words(512), "512 B");
  EXPECT_EQ(bytes_words(67108864), "64.0 MiB");
  EXPECT_EQ(bytes_words(1048575), "1.0 MiB");
}

TEST(Figures, ReadTimesStrictly) {
  EXPECT_EQ(parse_rfc3339("2026-11-23T07:28:17.042Z").ns, 1'795'418'897'042'000'000);
  for (const char* text :
       {"", "2026", "2026-13-23T07:28:17.042Z", "2026-11-23T07:28:17.042Zx", "yesterday"}) {
    EXPECT_EQ(parse_rfc3339(text).ns, 0) << text;
  }
  EXPECT_EQ(ago_words("2026-11-23T07:28:17.042Z", parse_rfc3339("2026-11-23T07:29:20.042Z")),
            "1 min 3 s ago");
  EXPECT_EQ(between_words("2026-11-23T07:28:17.042Z", ""), "");
  EXPECT_EQ(between_words("2026-11-23T07:28:17.042Z", "2026-11-23T07:28:17.242Z"), "0.2 s");
  EXPECT_EQ(between_words("2026-11-23T07:28:17.042Z", "2026-11-23T07:32:27.042Z"), "4 min 10 s");
}

TEST(Figures, TakeStrangeDocumentsForNothing) {
  const boost::json::value strange = boost::json::parse(R"({"a":1,"b":"x","c":[1]})");
  EXPECT_EQ(text_of(strange, "a"), "");
  EXPECT_EQ(number_of(strange, "b"), 0);
  EXPECT_TRUE(list_of(strange, "a").empty());
  EXPECT_TRUE(part_of(strange, "z").is_null());
  EXPECT_EQ(text_of(strange.at("c"), "a"), "");
}

std::vector<ProxyRate> both_at(double rate) {
  return {{"amber", "p", rate}, {"amber", "q", rate}};
}

TEST(History, KeepsTheLastFiveMinutes) {
  History history;
  for (int i = 0; i < 1000; ++i) history.add(both_at(i));
  const std::deque<double>& values = history.of("cluster/amber");
  ASSERT_EQ(values.size(), History::kPoints);
  EXPECT_EQ(values.back(), 2 * 999);
  EXPECT_EQ(values[0], 2 * (999 - 149));
  EXPECT_EQ(history.of("proxy/p").size(), History::kPoints);
}

TEST(History, ForgetsWhatIsGone) {
  History history;
  history.add(both_at(1));
  history.add({});
  EXPECT_TRUE(history.of("cluster/amber").empty());
}

TEST(Polyline, EndsAtTheRightEdgeAndScalesToTheLargest) {
  EXPECT_EQ(polyline({}), "");
  EXPECT_EQ(polyline({0, 0}), "148,22.0 149,22.0");
  EXPECT_EQ(polyline({5, 10}), "148,12.0 149,2.0");
}

}  // namespace
}  // namespace agent::web
