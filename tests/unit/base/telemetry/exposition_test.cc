#include "base/telemetry/exposition.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <limits>

namespace base::telemetry {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr auto kText = ExpositionFormat::kText004;
constexpr auto kOpen = ExpositionFormat::kOpenMetrics;

MetricFamily counter() {
  return FamilyBuilder("mcguard_proxy_requests_total", "Client requests by kind.",
                       MetricType::Counter)
      .add({{"operation", "get"}, {"proxy", "amber-proxy-1"}}, 4812332)
      .add({{"operation", "set"}, {"proxy", "amber-proxy-1"}}, 17)
      .build();
}

MetricFamily histogram() {
  return FamilyBuilder("mcguard_proxy_backend_latency_seconds", "Reply times.",
                       MetricType::Histogram)
      .add_histogram({{"backend", "b"}}, {{0.0005, 3}, {1, 9}}, 10, 2.25)
      .build();
}

TEST(Exposition, WritesCountersInBothFormats) {
  EXPECT_EQ(expose({counter()}, kText),
            "# HELP mcguard_proxy_requests_total Client requests by kind.\n"
            "# TYPE mcguard_proxy_requests_total counter\n"
            "mcguard_proxy_requests_total{operation=\"get\",proxy=\"amber-proxy-1\"} 4812332\n"
            "mcguard_proxy_requests_total{operation=\"set\",proxy=\"amber-proxy-1\"} 17\n");
  EXPECT_EQ(expose({counter()}, kOpen),
            "# HELP mcguard_proxy_requests Client requests by kind.\n"
            "# TYPE mcguard_proxy_requests counter\n"
            "mcguard_proxy_requests_total{operation=\"get\",proxy=\"amber-proxy-1\"} 4812332\n"
            "mcguard_proxy_requests_total{operation=\"set\",proxy=\"amber-proxy-1\"} 17\n"
            "# EOF\n");
}

TEST(Exposition, WritesHistogramsWithTheirInfiniteBucket) {
  EXPECT_EQ(expose({histogram()}, kText),
            "# HELP mcguard_proxy_backend_latency_seconds Reply times.\n"
            "# TYPE mcguard_proxy_backend_latency_seconds histogram\n"
            "mcguard_proxy_backend_latency_seconds_bucket{backend=\"b\",le=\"0.0005\"} 3\n"
            "mcguard_proxy_backend_latency_seconds_bucket{backend=\"b\",le=\"1\"} 9\n"
            "mcguard_proxy_backend_latency_seconds_bucket{backend=\"b\",le=\"+Inf\"} 10\n"
            "mcguard_proxy_backend_latency_seconds_sum{backend=\"b\"} 2.25\n"
            "mcguard_proxy_backend_latency_seconds_count{backend=\"b\"} 10\n");
  EXPECT_NE(expose({histogram()}, kOpen).find("le=\"1.0\"} 9\n"), std::string::npos);
}

TEST(Exposition, ABucketAtInfinityIsWrittenOnce) {
  const MetricFamily family =
      FamilyBuilder("x", "h", MetricType::Histogram)
          .add_histogram({}, {{1, 2}, {std::numeric_limits<double>::infinity(), 3}}, 3, 5)
          .build();
  EXPECT_EQ(expose({family}, kText),
            "# HELP x h\n# TYPE x histogram\nx_bucket{le=\"1\"} 2\nx_bucket{le=\"+Inf\"} 3\n"
            "x_sum 5\nx_count 3\n");
}

TEST(Exposition, WritesSummariesAndUntypedValues) {
  MetricFamily summary;
  summary.name = "s";
  summary.help = "h";
  summary.type = MetricType::Summary;
  summary.metric.resize(1);
  summary.metric[0].summary = {4, 1.5, {{0.5, 0.25}, {1, 0.75}}};
  EXPECT_EQ(expose({summary}, kText),
            "# HELP s h\n# TYPE s summary\ns{quantile=\"0.5\"} 0.25\ns{quantile=\"1\"} 0.75\n"
            "s_sum 1.5\ns_count 4\n");
  const MetricFamily untyped = FamilyBuilder("u", "h", MetricType::Untyped).add({}, 1).build();
  EXPECT_EQ(expose({untyped}, kText), "# HELP u h\n# TYPE u untyped\nu 1\n");
  EXPECT_EQ(expose({untyped}, kOpen), "# HELP u h\n# TYPE u unknown\nu 1\n# EOF\n");
}

TEST(Exposition, EscapesHelpAndLabelValues) {
  const MetricFamily family = FamilyBuilder("x", "a \\ b\nc \"d\"", MetricType::Gauge)
                                  .add({{"l", "a\\b\n\"c\""}, {"m", "ü\xff\xed\xa0\x80"}}, 1)
                                  .build();
  const std::string sample =
      "x{l=\"a\\\\b\\n\\\"c\\\"\",m=\"ü\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 1\n";
  EXPECT_EQ(expose({family}, kText), "# HELP x a \\\\ b\\nc \"d\"\n# TYPE x gauge\n" + sample);
  EXPECT_EQ(expose({family}, kOpen),
            "# HELP x a \\\\ b\\nc \\\"d\\\"\n# TYPE x gauge\n" + sample + "# EOF\n");
}

TEST(Exposition, WritesTheShortestNumberThatReadsBackTheSame) {
  const std::pair<double, const char*> cases[] = {
      {0, "0"},
      {-3, "-3"},
      {0.1, "0.1"},
      {0.0005, "0.0005"},
      {-0.0, "-0"},
      {1e-9, "1e-09"},
      {1.0 / 3, "0.3333333333333333"},
      {1795418897.042, "1795418897.042"},
      {123456789012345, "123456789012345"},
      {1e300, "1e+300"},
      {std::nan(""), "NaN"},
      {std::numeric_limits<double>::infinity(), "+Inf"},
      {-std::numeric_limits<double>::infinity(), "-Inf"},
  };
  for (const auto& [value, text] : cases) {
    const MetricFamily family = FamilyBuilder("x", "h", MetricType::Gauge).add({}, value).build();
    EXPECT_EQ(expose({family}, kText), std::string("# HELP x h\n# TYPE x gauge\nx ") + text + "\n");
  }
}

TEST(Exposition, TimestampsAreMillisecondsOrSeconds) {
  MetricFamily family = FamilyBuilder("x", "h", MetricType::Gauge).add({}, 1).build();
  family.metric[0].timestamp_ms = 1795418897042;
  EXPECT_NE(expose({family}, kText).find("x 1 1795418897042\n"), std::string::npos);
  EXPECT_NE(expose({family}, kOpen).find("x 1 1795418897.042\n"), std::string::npos);
}

TEST(Exposition, FamiliesOfOneNameShareOneHead) {
  const auto part = [](const char* proxy) {
    return FamilyBuilder("x", "h", MetricType::Gauge).add({{"proxy", proxy}}, 1).build();
  };
  EXPECT_EQ(expose({part("a"), counter(), part("b")}, kText).substr(0, 59),
            "# HELP x h\n# TYPE x gauge\nx{proxy=\"a\"} 1\nx{proxy=\"b\"} 1\n# H");
}

TEST(Exposition, NothingIsAnEmptyTextOrJustItsEnd) {
  EXPECT_EQ(expose({}, kText), "");
  EXPECT_EQ(expose({}, kOpen), "# EOF\n");
}

TEST(Exposition, StatesBaseUnitsInOpenMetrics) {
  const auto one = [](const char* name, MetricType type) {
    return FamilyBuilder(name, "Something.", type).add({}, 1).build();
  };
  const std::string text =
      expose({one("a_received_bytes_total", MetricType::Counter),
              one("b_age_seconds", MetricType::Gauge), one("c_connections", MetricType::Gauge)},
             kOpen);
  EXPECT_NE(text.find("# UNIT a_received_bytes bytes\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# UNIT b_age_seconds seconds\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("# UNIT c_connections"), std::string::npos) << text;
  EXPECT_EQ(expose({one("b_age_seconds", MetricType::Gauge)}, kText).find("UNIT"),
            std::string::npos);
}

TEST(Exposition, NegotiatesByTheAcceptHeader) {
  const std::pair<const char*, ExpositionFormat> cases[] = {
      {"", kText},
      {"*/*", kText},
      {"text/plain", kText},
      {"application/openmetrics-text", kOpen},
      {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
       "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
       kOpen},
      {"application/openmetrics-text; version=1.0.0; charset=utf-8 ; q=0.2, text/plain;q=0.9",
       kText},
      {"application/openmetrics-text;q=0", kText},
      {"application/openmetrics-text;version=9.0", kText},
      {"application/openmetrics-text;q=banana", kText},
      {",,;;q,", kText},
      {"Application/OpenMetrics-Text; Version=1.0.0; Q=1", kOpen},
      {"application/openmetrics-text;q=inf, text/plain;q=0.1", kText},
      {"application/openmetrics-text;q=nan", kText},
      {"application/openmetrics-text;q=0.5,text/plain;q=0.5", kOpen},
  };
  for (const auto& [accept, format] : cases) EXPECT_EQ(negotiate(accept), format) << accept;
  EXPECT_EQ(content_type(kText), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(content_type(kOpen), "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

TEST(Exposition, PromtoolAcceptsTheText) {
  ASSERT_EQ(::system("command -v promtool >/dev/null 2>&1"), 0)
      << "promtool is not installed (package prometheus); ./check installs it";
  const MetricFamily hostile =
      FamilyBuilder("mcguard_agent_probe_ratio", "Back\\slash, \"quotes\",\nnew line.",
                    MetricType::Gauge)
          .add({{"proxy", "a\\\"b\nc\xff"}}, std::nan(""))
          .add({{"proxy", "üñ"}}, 1e-9)
          .build();
  FILE* promtool = ::popen("promtool check metrics >/dev/null 2>&1", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = expose({counter(), histogram(), hostile}, kText);
  EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  const int status = ::pclose(promtool);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text;
}

}  // namespace
}  // namespace base::telemetry
