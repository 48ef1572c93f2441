#include "agent/rule/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

using agent::rule::parse_rules;
using agent::rule::RuleFile;
using agent::rule::RuleSet;
using testing::HasSubstr;

RuleFile shipped(const std::string& name) {
  std::ifstream file("rules/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return {"rules/" + name, text.str()};
}

const std::vector<std::string> kShipped = {
    "proxy_dead.yaml",           "proxy_stuck.yaml",      "backend_dead.yaml",
    "backend_stuck.yaml",        "connection_surge.yaml", "latency_shift.yaml",
    "traffic_drop.yaml",         "telemetry_silent.yaml", "resources_low.yaml",
    "certificate_expiring.yaml", "peer_differs.yaml",     "client_flood.yaml"};

std::string problem(const std::string& text) {
  const auto rules = parse_rules({{"r.yaml", text}});
  return rules.ok() ? "" : rules.error().context;
}

TEST(Rules, ShippedFilesSayWhatTheDefaultsSay) {
  std::vector<RuleFile> files;
  for (const std::string& name : kShipped) files.push_back(shipped(name));
  const auto rules = parse_rules(files);
  ASSERT_TRUE(rules.ok()) << rules.error().context;
  const RuleSet usual;
  const auto same_head = [](const agent::rule::Common& a, const agent::rule::Common& b) {
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.type, b.type);
    EXPECT_TRUE(a.enabled);
  };
  same_head(rules->proxy_dead, usual.proxy_dead);
  same_head(rules->proxy_stuck, usual.proxy_stuck);
  same_head(rules->backend_dead, usual.backend_dead);
  same_head(rules->backend_stuck, usual.backend_stuck);
  same_head(rules->connection_surge, usual.connection_surge);
  same_head(rules->latency_shift, usual.latency_shift);
  same_head(rules->traffic_drop, usual.traffic_drop);
  same_head(rules->telemetry_silent, usual.telemetry_silent);
  same_head(rules->resources_low, usual.resources_low);
  same_head(rules->certificate_expiring, usual.certificate_expiring);
  same_head(rules->peer_differs, usual.peer_differs);
  same_head(rules->client_flood, usual.client_flood);
  EXPECT_EQ(rules->client_flood.factor, usual.client_flood.factor);
  EXPECT_EQ(rules->client_flood.least_excess, usual.client_flood.least_excess);
  EXPECT_EQ(rules->client_flood.busy, usual.client_flood.busy);
  EXPECT_EQ(rules->client_flood.least_refused, usual.client_flood.least_refused);
  EXPECT_EQ(rules->client_flood.lasting, usual.client_flood.lasting);
  EXPECT_EQ(rules->client_flood.clients, usual.client_flood.clients);
  EXPECT_EQ(rules->client_flood.share, usual.client_flood.share);
  EXPECT_EQ(rules->client_flood.client_factor, usual.client_flood.client_factor);
  EXPECT_EQ(rules->client_flood.clear_after, usual.client_flood.clear_after);
  EXPECT_EQ(rules->client_flood.learn_first, usual.client_flood.learn_first);
  EXPECT_EQ(rules->client_flood.forget, usual.client_flood.forget);
  EXPECT_EQ(rules->certificate_expiring.days, usual.certificate_expiring.days);
  EXPECT_EQ(rules->resources_low.within, usual.resources_low.within);
  EXPECT_EQ(rules->resources_low.least, usual.resources_low.least);
  EXPECT_EQ(rules->resources_low.full, usual.resources_low.full);
  EXPECT_EQ(rules->resources_low.clear_after, usual.resources_low.clear_after);
  EXPECT_EQ(rules->proxy_stuck.heartbeat_age, usual.proxy_stuck.heartbeat_age);
  EXPECT_EQ(rules->proxy_stuck.heartbeat_alone, usual.proxy_stuck.heartbeat_alone);
  EXPECT_EQ(rules->proxy_stuck.canary_failures, usual.proxy_stuck.canary_failures);
  EXPECT_EQ(rules->proxy_stuck.canary_silence, usual.proxy_stuck.canary_silence);
  EXPECT_EQ(rules->proxy_stuck.contrast_within, usual.proxy_stuck.contrast_within);
  EXPECT_EQ(rules->proxy_stuck.clear_after, usual.proxy_stuck.clear_after);
  EXPECT_EQ(rules->backend_stuck.probe_failures, usual.backend_stuck.probe_failures);
  EXPECT_EQ(rules->backend_stuck.silence, usual.backend_stuck.silence);
  EXPECT_EQ(rules->backend_stuck.oldest_in_flight, usual.backend_stuck.oldest_in_flight);
  EXPECT_EQ(rules->backend_stuck.window, usual.backend_stuck.window);
  EXPECT_EQ(rules->backend_stuck.clear_after, usual.backend_stuck.clear_after);
  EXPECT_EQ(rules->connection_surge.factor, usual.connection_surge.factor);
  EXPECT_EQ(rules->connection_surge.least_excess, usual.connection_surge.least_excess);
  EXPECT_EQ(rules->connection_surge.lasting, usual.connection_surge.lasting);
  EXPECT_EQ(rules->connection_surge.clear_factor, usual.connection_surge.clear_factor);
  EXPECT_EQ(rules->connection_surge.clear_after, usual.connection_surge.clear_after);
  EXPECT_EQ(rules->connection_surge.learn_first, usual.connection_surge.learn_first);
  EXPECT_EQ(rules->connection_surge.forget, usual.connection_surge.forget);
  EXPECT_EQ(rules->connection_surge.median_ratio, usual.connection_surge.median_ratio);
  EXPECT_EQ(rules->connection_surge.top_share, usual.connection_surge.top_share);
  EXPECT_EQ(rules->latency_shift.least_share, usual.latency_shift.least_share);
  EXPECT_EQ(rules->latency_shift.fault_share, usual.latency_shift.fault_share);
  EXPECT_EQ(rules->latency_shift.ratio, usual.latency_shift.ratio);
  EXPECT_EQ(rules->latency_shift.threshold_cluster, usual.latency_shift.threshold_cluster);
  EXPECT_EQ(rules->latency_shift.threshold_single, usual.latency_shift.threshold_single);
  EXPECT_EQ(rules->latency_shift.slot_cap, usual.latency_shift.slot_cap);
  EXPECT_EQ(rules->latency_shift.spread, usual.latency_shift.spread);
  EXPECT_EQ(rules->latency_shift.hold, usual.latency_shift.hold);
  EXPECT_EQ(rules->latency_shift.load_step, usual.latency_shift.load_step);
  EXPECT_EQ(rules->latency_shift.forget, usual.latency_shift.forget);
  EXPECT_EQ(rules->latency_shift.clip, usual.latency_shift.clip);
  EXPECT_EQ(rules->latency_shift.busy, usual.latency_shift.busy);
  EXPECT_EQ(rules->latency_shift.no_core, usual.latency_shift.no_core);
  EXPECT_EQ(rules->latency_shift.clear_after, usual.latency_shift.clear_after);
  EXPECT_EQ(rules->telemetry_silent.silence, usual.telemetry_silent.silence);
  EXPECT_EQ(rules->telemetry_silent.times, usual.telemetry_silent.times);
  EXPECT_EQ(rules->telemetry_silent.hold, usual.telemetry_silent.hold);
  EXPECT_EQ(rules->telemetry_silent.clear_after, usual.telemetry_silent.clear_after);
  EXPECT_EQ(rules->peer_differs.members, usual.peer_differs.members);
  EXPECT_EQ(rules->peer_differs.least_requests, usual.peer_differs.least_requests);
  EXPECT_EQ(rules->peer_differs.factor, usual.peer_differs.factor);
  EXPECT_EQ(rules->peer_differs.spread, usual.peer_differs.spread);
  EXPECT_EQ(rules->peer_differs.least_failures, usual.peer_differs.least_failures);
  EXPECT_EQ(rules->peer_differs.least_latency, usual.peer_differs.least_latency);
  EXPECT_EQ(rules->peer_differs.least_cores, usual.peer_differs.least_cores);
  EXPECT_EQ(rules->peer_differs.least_connections, usual.peer_differs.least_connections);
  EXPECT_EQ(rules->peer_differs.lasting_failures, usual.peer_differs.lasting_failures);
  EXPECT_EQ(rules->peer_differs.lasting, usual.peer_differs.lasting);
  EXPECT_EQ(rules->peer_differs.clear_factor, usual.peer_differs.clear_factor);
  EXPECT_EQ(rules->peer_differs.clear_after, usual.peer_differs.clear_after);
  EXPECT_EQ(rules->peer_differs.learn_first, usual.peer_differs.learn_first);
  EXPECT_EQ(rules->peer_differs.hold, usual.peer_differs.hold);
  EXPECT_EQ(rules->peer_differs.accept_after, usual.peer_differs.accept_after);
  EXPECT_EQ(rules->peer_differs.forget, usual.peer_differs.forget);
  EXPECT_EQ(rules->traffic_drop.share, usual.traffic_drop.share);
  EXPECT_EQ(rules->traffic_drop.least_requests, usual.traffic_drop.least_requests);
  EXPECT_EQ(rules->traffic_drop.least_connections, usual.traffic_drop.least_connections);
  EXPECT_EQ(rules->traffic_drop.lasting, usual.traffic_drop.lasting);
  EXPECT_EQ(rules->traffic_drop.moved_lasting, usual.traffic_drop.moved_lasting);
  EXPECT_EQ(rules->traffic_drop.clear_share, usual.traffic_drop.clear_share);
  EXPECT_EQ(rules->traffic_drop.clear_after, usual.traffic_drop.clear_after);
  EXPECT_EQ(rules->traffic_drop.learn_first, usual.traffic_drop.learn_first);
  EXPECT_EQ(rules->traffic_drop.hold, usual.traffic_drop.hold);
  EXPECT_EQ(rules->traffic_drop.accept_after, usual.traffic_drop.accept_after);
  EXPECT_EQ(rules->traffic_drop.forget, usual.traffic_drop.forget);
}

TEST(Rules, EveryRuleFileIsShippedAndRead) {
  for (const auto& entry : std::filesystem::directory_iterator("rules")) {
    const std::string name = entry.path().filename();
    if (!entry.is_regular_file() || name.starts_with("policy")) continue;
    EXPECT_THAT(kShipped, testing::Contains(name));
  }
}

TEST(Rules, ARuleWithoutAFileIsNotRun) {
  const auto rules = parse_rules({shipped("proxy_dead.yaml")});
  ASSERT_TRUE(rules.ok());
  EXPECT_TRUE(rules->proxy_dead.enabled);
  EXPECT_FALSE(rules->backend_dead.enabled);
  EXPECT_FALSE(rules->latency_shift.enabled);
}

TEST(Rules, ThresholdsOfTheFileReplaceTheDefaults) {
  const auto rules = parse_rules(
      {{"r.yaml",
        "rule: mine\ntype: network_degraded\ntest: shift\nfault_share: 20%\nhold: 2s\n"}});
  ASSERT_TRUE(rules.ok()) << rules.error().context;
  EXPECT_EQ(rules->latency_shift.name, "mine");
  EXPECT_DOUBLE_EQ(rules->latency_shift.fault_share, 0.2);
  EXPECT_EQ(rules->latency_shift.hold, std::chrono::seconds(2));
}

TEST(Rules, WrongKeysTypesAndValuesNameTheirPlace) {
  EXPECT_THAT(problem("rule: a\ntype: proxy_dead\ntest: exit\nsilense: 1s\n"),
              HasSubstr("r.yaml:4:1"));
  EXPECT_THAT(problem("rule: a\ntype: proxy_gone\ntest: exit\n"), HasSubstr("r.yaml:2:7"));
  EXPECT_THAT(problem("rule: a\ntype: proxy_stuck\ntest: exit\n"), HasSubstr("proxy_dead or"));
  EXPECT_THAT(problem("rule: a\ntype: proxy_dead\ntest: guess\n"), HasSubstr("r.yaml:3:7"));
  EXPECT_THAT(problem("rule: a\ntype: backend_stuck\ntest: backend_stuck\nsilence: soon\n"),
              HasSubstr("silence"));
  EXPECT_THAT(problem("type: proxy_dead\ntest: exit\n"), HasSubstr("rule"));
  EXPECT_THAT(problem("rule: a\ntype: network_degraded\ntest: shift\nfault_share: 1%\n"),
              HasSubstr("above least_share"));
  EXPECT_THAT(problem("rule: a\ntype: network_degraded\ntest: shift\nleast_share: 20%\n"),
              HasSubstr("above least_share"));
  EXPECT_THAT(problem("rule: a\ntype: other\ntest: peer\nmembers: 3\n"), HasSubstr("r.yaml:4:10"));
  EXPECT_THAT(problem("rule: a\ntype: other\ntest: peer\nclear_factor: 4\n"),
              HasSubstr("of at most factor"));
}

TEST(Rules, TwoFilesForOneTestAreRefused) {
  const RuleFile one = shipped("proxy_dead.yaml");
  const auto rules = parse_rules({one, {"again.yaml", one.text}});
  ASSERT_FALSE(rules.ok());
  EXPECT_THAT(rules.error().context, HasSubstr("again.yaml"));
}

}  // namespace
