#include "agent/runbook/possible.h"

#include <gtest/gtest.h>

namespace agent::runbook {
namespace {

std::optional<Domain> domain_of(std::string_view name, bool reference) {
  if (reference)
    return name == "kind" ? std::optional(Domain::one_of({"cache", "cluster"})) : std::nullopt;
  if (name == "load") return Domain::between(Value::Kind::kNumber, 0, 1);
  if (name == "healthy") return Domain::between(Value::Kind::kNumber, 2, 9);
  if (name == "age") return Domain::between(Value::Kind::kDuration, 0, 3600);
  if (name == "dead") return Domain::of(Value::Kind::kBoolean);
  if (name == "state") return Domain::one_of({"up", "away"});
  if (name == "lost") return Domain::never_known();
  return std::nullopt;
}

bool possible(const std::vector<std::string>& texts) {
  std::vector<Expression> expressions;
  for (const std::string& text : texts) {
    auto parsed = Expression::parse(text);
    EXPECT_TRUE(parsed.ok()) << text;
    expressions.push_back(*parsed);
  }
  std::vector<const Expression*> all;
  for (const Expression& expression : expressions) all.push_back(&expression);
  return can_hold(all, domain_of);
}

TEST(Possible, IsWhatSomeValuesMakeTrue) {
  for (const char* text : {"load <= 0.7",
                           "load == 0",
                           "load >= 1",
                           "1 <= load",
                           "age <= 5s",
                           "not dead",
                           "dead or lost",
                           "state == up",
                           "state != up",
                           "not (load < 0.5)",
                           "load > 0.2 and load < 0.3",
                           "healthy > load",
                           "${kind} == cache",
                           "${anything} == 7",
                           "${anything} and not dead",
                           "not (load < 0.5 and dead)",
                           "1 < 2",
                           "up == up",
                           "load != 0.5",
                           "healthy == healthy"}) {
    EXPECT_TRUE(possible({text})) << text;
  }
}

TEST(Possible, IsNotWhatNoValuesMakeTrue) {
  for (const char* text : {"load > 1",
                           "load < 0",
                           "0 > load",
                           "age > 1h",
                           "dead and not dead",
                           "lost",
                           "not lost",
                           "lost == 3",
                           "lost and dead",
                           "state == gone",
                           "state != up and state != away",
                           "load < 0.2 and load > 0.3",
                           "load > 0.5 and load <= 0.5",
                           "load == 0.5 and load != 0.5",
                           "${kind} == proxy",
                           "healthy < load",
                           "not (load <= 1)",
                           "2 < 1",
                           "up == down",
                           "(dead and load > 2) or (lost and dead)",
                           "not (dead or not dead)",
                           "load >= 1 and load != 1"}) {
    EXPECT_FALSE(possible({text})) << text;
  }
}

TEST(Possible, TakesConditionsTogether) {
  EXPECT_TRUE(possible({"load <= 0.7", "load >= 0.7"}));
  EXPECT_FALSE(possible({"load <= 0.7", "dead or load > 0.7", "not dead"}));
  EXPECT_TRUE(possible({"load <= 0.7", "dead or load > 0.7"}));
  EXPECT_TRUE(possible({}));
  EXPECT_TRUE(can_hold({}, domain_of));
}

TEST(Possible, IsSaidOfWhatIsTooLongToTell) {
  std::vector<std::string> texts;
  for (int i = 0; i < 10; ++i) texts.push_back("dead or load > 0.5");
  texts.push_back("load > 2");
  EXPECT_TRUE(possible(texts));
}

}  // namespace
}  // namespace agent::runbook
