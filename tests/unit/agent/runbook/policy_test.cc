#include "agent/runbook/policy.h"

#include "agent/runbook/cooldown.h"
#include "agent/runbook/guard.h"
#include "tests/unit/agent/runbook/engine_fixture.h"

namespace agent::runbook {
namespace {

using namespace std::chrono_literals;

class PolicyTest : public ::testing::Test {
 protected:
  PolicyTest() {
    test::add_fake_actions(registry_, world_);
    library_ = Library::build(shipped_runbooks(), registry_).value();
  }
  base::Result<Policy> parse(const std::string& text) {
    return parse_policy(SourceText("policy.yaml", text), library_);
  }
  std::string problems(const std::string& text) {
    const auto policy = parse(text);
    return policy.ok() ? "" : policy.error().context;
  }
  test::FakeWorld world_;
  ActionRegistry registry_;
  Library library_;
};

const std::string kResponse =
    "policy: p\nresponses:\n  proxy_dead: {runbook: replace-proxy, params: {proxy: "
    "${scope.proxy}}, "
    "mode: auto}\n";

TEST_F(PolicyTest, TakesTheShippedOnes) {
  for (const char* name : {"rules/policy.yaml", "rules/policy-gameday.yaml"}) {
    const auto policy = parse_policy(read_source(name), library_);
    ASSERT_TRUE(policy.ok()) << policy.error().context;
    for (int i = 0; i <= static_cast<int>(incident::Type::kOther); ++i) {
      EXPECT_EQ(policy->responses.count(static_cast<incident::Type>(i)), 1u) << name << i;
    }
  }
}

TEST_F(PolicyTest, KeepsTheSafetyRulesOnGameDays) {
  const auto normal = parse_policy(read_source("rules/policy.yaml"), library_);
  const auto gameday = parse_policy(read_source("rules/policy-gameday.yaml"), library_);
  EXPECT_EQ(normal->min_healthy_proxies, gameday->min_healthy_proxies);
  EXPECT_EQ(normal->correlation.at_least, gameday->correlation.at_least);
  EXPECT_EQ(gameday->cooldown(*library_.find("replace-proxy")).factor, 1);
  EXPECT_EQ(normal->cooldown(*library_.find("replace-proxy")).factor, 2);
}

TEST_F(PolicyTest, NamesThePlaceAndWhatWasExpected) {
  EXPECT_NE(
      problems("policy: p\nresponses:\n  proxy_ded: {runbook: replace-proxy, params: {proxy: x}}\n")
          .find("no such incident type"),
      std::string::npos);
  EXPECT_NE(
      problems("policy: p\nresponses:\n  proxy_dead: {runbook: replace}\n").find("policy.yaml:3:"),
      std::string::npos);
  EXPECT_NE(problems("policy: p\nresponses:\n  proxy_dead: {runbook: replace-proxy}\n")
                .find("requires proxy"),
            std::string::npos);
  EXPECT_NE(
      problems("policy: p\nresponses:\n  proxy_dead: {runbook: replace-proxy, params: {proxy: "
               "${scope.prox}}}\n")
          .find("expected scope.cluster"),
      std::string::npos);
  EXPECT_NE(problems(kResponse + "quiet: [{from: 25h, to: \"06:00\"}]\n").find("a time of day"),
            std::string::npos);
  EXPECT_NE(problems(kResponse + "correlation: {at_least: 1}\n").find("at_least"),
            std::string::npos);
  EXPECT_NE(
      problems(kResponse + "clusters: {amber: {modes: {nope: auto}}}\n").find("no such runbook"),
      std::string::npos);
}

TEST_F(PolicyTest, LowersTheModeInQuietPeriodsAndByCluster) {
  const auto policy = parse(kResponse +
                            "clusters: {birch: {modes: {replace-proxy: suggest}}}\n"
                            "quiet: [{from: \"22:00\", to: \"06:00\", mode: approve}]\n");
  ASSERT_TRUE(policy.ok()) << policy.error().context;
  const Response& response = policy->responses.at(incident::Type::kProxyDead);
  const auto at = [](int hour) { return base::WallTime{} + std::chrono::hours(hour); };
  EXPECT_EQ(policy->mode(response, "amber", at(12)), Mode::kAuto);
  EXPECT_EQ(policy->mode(response, "amber", at(23)), Mode::kApprove);
  EXPECT_EQ(policy->mode(response, "amber", at(5)), Mode::kApprove);
  EXPECT_EQ(policy->mode(response, "birch", at(23)), Mode::kSuggest);
}

TEST_F(PolicyTest, OverridesTheNeedOfHealthyMembersByCluster) {
  const auto policy = parse(kResponse +
                            "min_healthy: {proxies: 1, backends: 2}\n"
                            "clusters: {amber: {min_healthy: {proxies: 3}}}\n");
  ASSERT_TRUE(policy.ok()) << policy.error().context;
  EXPECT_EQ(policy->min_healthy("amber", ParamType::kProxy), 3);
  EXPECT_EQ(policy->min_healthy("amber", ParamType::kBackend), 2);
  EXPECT_EQ(policy->min_healthy("birch", ParamType::kProxy), 1);
}

TEST(Correlation, CountsDistinctMembersOfTheClusterAndClusters) {
  test::FakeFacts facts;
  const Policy policy;
  const auto correlated = [&](ParamType kind) {
    return correlation(kind, "amber", facts, policy, base::Instant{}).correlated;
  };
  facts.kill("amber-proxy-1");
  facts.kill("amber-proxy-1");
  EXPECT_FALSE(correlated(ParamType::kBackend));
  facts.forget_symptoms();
  facts.kill("amber-proxy-1");
  facts.revive("amber-proxy-1");
  EXPECT_FALSE(correlated(ParamType::kProxy));
  facts.kill("amber-proxy-2");
  EXPECT_TRUE(correlated(ParamType::kProxy));
  facts.forget_symptoms();
  facts.kill("amber-proxy-1");
  facts.kill("birch-proxy-1");
  EXPECT_TRUE(correlated(ParamType::kProxy));
}

class CooldownTest : public ::testing::Test {
 protected:
  CooldownTest() {
    rule_.key = "k";
    rule_.base = 5min;
    rule_.factor = 2;
    rule_.max = 2h;
    record_.finished = record_.verified = at(0s);
  }
  static base::WallTime at(base::Duration d) { return base::WallTime{1'000'000'000'000} + d; }
  CooldownAnswer asked(base::Duration symptom, base::Duration now) {
    return ask(rule_, record_, at(symptom), 60s, at(now));
  }
  Cooldown rule_;
  CooldownRecord record_;
};

TEST_F(CooldownTest, WaitsForItsBaseWhenTheSymptomStayedAway) {
  EXPECT_EQ(asked(100s, 299s).hold, Hold::kCooldown);
  EXPECT_EQ(asked(100s, 300s).hold, Hold::kNone);
}
TEST_F(CooldownTest, GrowsOnlyWhenTheSymptomReturnsQuickly) {
  record_.level = 1;
  EXPECT_EQ(asked(59s, 1199s).hold, Hold::kCooldown);
  EXPECT_EQ(asked(59s, 1200s).level, 2);
  EXPECT_EQ(asked(61s, 300s).level, 0);
}
TEST_F(CooldownTest, HandsOverWhenItIsExhausted) {
  record_.level = 4;
  EXPECT_EQ(asked(10s, 24h).hold, Hold::kCooldownExhausted);
  rule_.on_exhausted = Exhausted::kWait;
  EXPECT_EQ(asked(10s, 2h).hold, Hold::kNone);
}
TEST_F(CooldownTest, DoesNotGrowAfterARunThatWasNotVerified) {
  record_.verified = base::WallTime{};
  EXPECT_EQ(asked(10s, 6min).level, 0);
}
TEST_F(CooldownTest, SurvivesItsDocument) {
  record_.level = 3;
  record_.run = "run-1";
  const auto read = cooldown_from_document(to_document(record_));
  EXPECT_EQ(read->level, 3);
  EXPECT_EQ(read->verified, record_.verified);
  EXPECT_FALSE(cooldown_from_document("{}").ok());
}

}  // namespace
}  // namespace agent::runbook
