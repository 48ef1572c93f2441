#include "agent/runbook/expression.h"

#include <gtest/gtest.h>

#include <map>

namespace agent::runbook {
namespace {

const std::map<std::string, Value, std::less<>>& facts() {
  static const std::map<std::string, Value, std::less<>> known = {
      {"healthy_after", Value::of(1)},        {"policy.min_healthy", Value::of(2)},
      {"load_after", Value::unknown("none")}, {"telemetry_age", Value::seconds(0.25)},
      {"budget", Value::boolean(true)},       {"correlated_failure", Value::boolean(false)},
      {"class", Value::word("disruptive")},   {"steps.await.state", Value::word("dead")},
  };
  return known;
}

std::optional<Value> look_up(std::string_view name, bool) {
  const auto at = facts().find(name);
  if (at == facts().end()) return std::nullopt;
  return at->second;
}

Truth truth(std::string_view text) {
  const auto expression = Expression::parse(text);
  EXPECT_TRUE(expression.ok()) << text << ": " << expression.error().context;
  return expression.ok() ? expression->evaluate(look_up).truth : Truth::kUnknown;
}

TEST(Expression, Answers) {
  const std::pair<const char*, Truth> cases[] = {
      {"budget", Truth::kYes},
      {"not budget", Truth::kNo},
      {"not correlated_failure", Truth::kYes},
      {"healthy_after >= policy.min_healthy", Truth::kNo},
      {"healthy_after < policy.min_healthy", Truth::kYes},
      {"telemetry_age <= 5s", Truth::kYes},
      {"telemetry_age <= 200ms", Truth::kNo},
      {"healthy_after == 100%", Truth::kYes},
      {"class == destructive or budget", Truth::kYes},
      {"class == destructive", Truth::kNo},
      {"class != 'destructive'", Truth::kYes},
      {"${steps.await.state} != recovered", Truth::kYes},
      {"budget and (correlated_failure or not budget)", Truth::kNo},
      {"not budget or budget and budget", Truth::kYes},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(truth(text), expected) << text;
}

TEST(Expression, NeverTakesTheUnknownForTrueOrFalse) {
  EXPECT_EQ(truth("load_after <= 0.7"), Truth::kUnknown);
  EXPECT_EQ(truth("not load_after <= 0.7"), Truth::kUnknown);
  EXPECT_EQ(truth("load_after <= 0.7 or budget"), Truth::kYes);
  EXPECT_EQ(truth("load_after <= 0.7 and budget"), Truth::kUnknown);
  EXPECT_EQ(truth("load_after <= 0.7 and correlated_failure"), Truth::kNo);
  EXPECT_EQ(truth("${steps.none.state} == x"), Truth::kUnknown);
  EXPECT_EQ(truth("telemetry_age < 5"), Truth::kUnknown);
}

TEST(Expression, GivesTheValuesItMetAsTheReason) {
  const auto expression = Expression::parse("healthy_after >= policy.min_healthy");
  EXPECT_EQ(expression->evaluate(look_up).reason, "healthy_after is 1, policy.min_healthy is 2");
}

TEST(Expression, SaysWhereItDoesNotParse) {
  for (const char* text : {"", "and", "a ==", "== a", "(a", "a)", "a b", "5x", "\"open", "${open",
                           "a = b", "not", "a or or b", "a == b == c", "@"}) {
    EXPECT_FALSE(Expression::parse(text).ok()) << text;
  }
  EXPECT_EQ(Expression::parse("a b").error().context,
            "met \"b\" at column 3 of the expression, expected an operator or the end");
}

TEST(Expression, RefusesBottomlessNesting) {
  EXPECT_FALSE(Expression::parse(std::string(100'000, '(')).ok());
}

TEST(Expression, FindsComparisonsOfUnlikeThings) {
  const auto mistake = [](const char* text) { return Expression::parse(text)->mistake(look_up); };
  EXPECT_EQ(mistake("telemetry_age <= 5"), "compares a duration with a number");
  EXPECT_EQ(mistake("healthy_after"),
            "healthy_after is a number, expected a comparison or a truth");
  EXPECT_FALSE(mistake("telemetry_age <= 5s and budget").has_value());
}

}  // namespace
}  // namespace agent::runbook
