#include "agent/rule/cases.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/core/file.h"

namespace agent::rule {
namespace {

std::string text_of(std::string_view notation) {
  const auto values = parse_values(notation);
  if (!values) return values.error().context;
  std::string text;
  for (const auto& value : *values) {
    text += (text.empty() ? "" : " ") + (value ? std::to_string(*value).substr(0, 4) : "_");
  }
  return text;
}

TEST(Cases, ReadValuesAsPromtoolDoes) {
  EXPECT_EQ(text_of("1 2"), "1.00 2.00");
  EXPECT_EQ(text_of("0.3x2 5"), "0.30 0.30 0.30 5.00");
  EXPECT_EQ(text_of("1+2x3"), "1.00 3.00 5.00 7.00");
  EXPECT_EQ(text_of("1-0.5x2"), "1.00 0.50 0.00");
  EXPECT_EQ(text_of("-2x1"), "-2.0 -2.0");
  EXPECT_EQ(text_of("1 _ _x2 1"), "1.00 _ _ _ 1.00");
  EXPECT_EQ(text_of(""), "");
  for (const char* wrong :
       {"x", "1x", "1x-1", "a", "1+x2", "1+2", "_2", "1x99999999999", "1e999"}) {
    EXPECT_NE(text_of(wrong).find("expected"), std::string::npos) << wrong;
  }
}

TEST(Cases, ReadNamesOfSeries) {
  const series::SeriesKey key{"link_pace", "amber", "amber-proxy-1", "amber-backend-2", ""};
  EXPECT_EQ(*parse_series(series::to_string(key)), key);
  EXPECT_EQ(parse_series("up")->name, "up");
  for (const char* wrong : {"", "{cluster=a}", "x{cluster}", "x{zone=a}", "x{cluster=a"}) {
    EXPECT_FALSE(parse_series(wrong)) << wrong;
  }
}

std::vector<RuleCase> cases_of(const std::string& text) {
  base::config::Problems problems;
  auto cases = parse_cases(text, "x.yaml", problems);
  EXPECT_TRUE(problems.empty()) << problems.to_string();
  return cases;
}

const char* const kDead = R"(
cases:
  - case: A proxy ends
    series:
      - {series: "proxy_exited{cluster=amber,proxy=amber-proxy-1}", every: 1s, values: '0x9 1x9 0x19'}
    expect:
      - {rule: proxy_dead, type: proxy_dead, scope: proxy amber-proxy-1, after: 10s, within: 100ms, ends_by: 25s}
)";

TEST(Cases, PassWhenAllIsAsExpected) {
  const auto outcome = run_case(cases_of(kDead).at(0), RuleSet());
  EXPECT_TRUE(outcome.passed) << (outcome.differences.empty() ? "" : outcome.differences[0]);
}

TEST(Cases, NameWhatIsMissingWhatIsTooMuchAndWhatDoesNotEnd) {
  RuleCase wanted = cases_of(kDead).at(0);
  wanted.expect[0].scope = "proxy amber-proxy-2";
  auto outcome = run_case(wanted, RuleSet());
  ASSERT_EQ(outcome.differences.size(), 2U);
  EXPECT_TRUE(outcome.differences[0].starts_with(
      "not expected: proxy_dead (proxy_dead) on proxy amber-proxy-1 at 10.0 s: "))
      << outcome.differences[0];
  EXPECT_EQ(
      outcome.differences[1],
      "x.yaml:7:9: expected proxy_dead (proxy_dead) on proxy amber-proxy-2 between 10.0 s and "
      "10.1 s, got nothing that fits");
  wanted = cases_of(kDead).at(0);
  wanted.expect[0].ends_by = base::Duration(12'000'000'000);
  outcome = run_case(wanted, RuleSet());
  ASSERT_EQ(outcome.differences.size(), 1U);
  EXPECT_NE(outcome.differences[0].find("expected the end of"), std::string::npos);
}

TEST(Cases, SayWhereAFileIsWrong) {
  base::config::Problems problems;
  parse_cases(R"(
cases:
  - case: Broken
    series:
      - {series: "x{zone=1}", every: 1s, values: '1y2'}
      - {series: "x", every: 0s, values: '1x3', weights: '1'}
    expect:
      - {rule: proxy_dead, type: none_such, within: 1s}
    extra: 1
)",
              "x.yaml", problems);
  const std::string text = problems.to_string();
  for (const char* part :
       {"x.yaml:5:18", "\"1y2\": expected a number", "expected as many as values", "x.yaml:6:30",
        "an incident type", "extra"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

// The rules that are shipped, by the cases that are shipped: each has one that fires and one that
// is quiet.
TEST(Cases, OfTheShippedRulesPass) {
  std::vector<RuleFile> files;
  std::set<std::string> fired, quiet;
  for (const auto& entry : std::filesystem::directory_iterator("rules")) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".yaml") || path.starts_with("rules/policy")) continue;
    files.push_back({path, base::read_file(path).value()});
  }
  const auto rules = parse_rules(files);
  ASSERT_TRUE(rules) << rules.error().context;
  for (const RuleFile& file : files) {
    const std::string path = "rules/tests/" + file.name.substr(file.name.find('/') + 1);
    const auto text = base::read_file(path);
    ASSERT_TRUE(text) << path << ": every rule has its cases";
    for (const RuleCase& wanted : cases_of(*text)) {
      const auto outcome = run_case(wanted, *rules);
      (wanted.expect.empty() ? quiet : fired).insert(path);
      std::string all;
      for (const std::string& difference : outcome.differences) all += difference + "\n";
      EXPECT_TRUE(outcome.passed) << path << ": " << wanted.name << "\n" << all;
    }
    EXPECT_TRUE(fired.contains(path) && quiet.contains(path)) << path;
  }
}

}  // namespace
}  // namespace agent::rule
