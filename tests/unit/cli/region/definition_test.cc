#include "cli/region/definition.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

Definition defaults() {
  Definition made;
  made.proxy = "/opt/mcguard-proxy";
  made.memcached = "/usr/bin/memcached";
  made.tool = "/opt/mcguard";
  made.rules_dir = "/opt/rules";
  made.runbooks_dir = "/opt/runbooks";
  return made;
}

TEST(RegionDefinition, HasTheDefaultPorts) {
  const std::string yaml = to_yaml(make_definition({}, defaults()));
  EXPECT_NE(yaml.find("ports: {operator: 7480, status: 7481, customer: 7482, agents: 7483}\n"),
            std::string::npos);
  EXPECT_NE(yaml.find("    ports: {memcache: 11211, tls: 11212, open: 0, backend: 11214, metrics: "
                      "7490, links: 11240}\n"),
            std::string::npos);
  EXPECT_NE(yaml.find("      - {id: birch-proxy-2, address: 127.0.2.2, workers: 1}\n"),
            std::string::npos);
  EXPECT_NE(yaml.find("      - {id: amber-backend-1, address: 127.0.1.11, memory: 64MiB, weight: "
                      "1}\n"),
            std::string::npos);
  EXPECT_NE(yaml.find("policy: /opt/rules/policy.yaml\n"), std::string::npos);
}

TEST(RegionDefinition, MovesEveryPortByTheBase) {
  UpOptions options;
  options.port_base = 21000;
  options.open = true;
  options.gameday = true;
  const Definition made = make_definition(options, defaults());
  EXPECT_EQ(made.ports.operator_api, 21020);
  EXPECT_EQ(made.ports.agents, 21023);
  const ClusterPorts& ports = made.clusters[1].ports;
  EXPECT_EQ(ports.memcache, 21000);
  EXPECT_EQ(ports.open, 21002);
  EXPECT_EQ(ports.backend, 21003);
  EXPECT_EQ(ports.metrics, 21030);
  EXPECT_EQ(ports.links, 21040);
  EXPECT_EQ(made.policy, "/opt/rules/policy-gameday.yaml");
}

TEST(RegionDefinition, ReadsBackWhatItWrites) {
  UpOptions options;
  options.port_base = 21000;
  options.rules_dir = "/with space/\"quotes\"";
  const Definition made = make_definition(options, defaults());
  const auto read = parse_definition(to_yaml(made), "agent.yaml");
  ASSERT_TRUE(read.ok()) << read.error().context;
  EXPECT_EQ(to_yaml(*read), to_yaml(made));
}

TEST(RegionDefinition, LeavesToTheAgentWhatOnlyItReads) {
  const std::string text = to_yaml(make_definition(UpOptions(), defaults())) +
                           "record: {size: 8MiB}\necho: {}\nbudget: {cpu: 2%}\n";
  const auto read = parse_definition(text, "agent.yaml");
  EXPECT_TRUE(read.ok()) << read.error().context;
}

TEST(RegionDefinition, NamesEveryPlaceThatIsWrong) {
  std::string yaml = to_yaml(make_definition({}, defaults()));
  yaml.replace(0, 6, "regoin");
  yaml.replace(yaml.find("weight: 1"), 9, "weight: many");
  const auto read = parse_definition(yaml, "agent.yaml");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.code(), base::ErrorCode::kInvalid);
  EXPECT_NE(read.error().context.find("agent.yaml:1:1"), std::string::npos);
  EXPECT_NE(read.error().context.find("regoin"), std::string::npos);
  EXPECT_NE(read.error().context.find("many"), std::string::npos);
}

struct Contradiction {
  const char* flag;
  void (*set)(UpOptions&);
};

TEST(RegionDefinition, RefusesFlagsThatContradictTheFile) {
  const Definition made = make_definition({}, defaults());
  const Contradiction all[] = {
      {"--gameday", [](UpOptions& o) { o.gameday = true; }},
      {"--open", [](UpOptions& o) { o.open = true; }},
      {"--port-base", [](UpOptions& o) { o.port_base = 21000; }},
      {"--policy", [](UpOptions& o) { o.policy = "/other.yaml"; }},
      {"--rules-dir", [](UpOptions& o) { o.rules_dir = "/other"; }},
      {"--runbooks-dir", [](UpOptions& o) { o.runbooks_dir = "/other"; }},
      {"--proxy-binary", [](UpOptions& o) { o.proxy_binary = "/other"; }},
  };
  for (const Contradiction& one : all) {
    UpOptions options;
    one.set(options);
    const auto agrees = check_no_contradiction(made, options, "D/agent.yaml");
    ASSERT_FALSE(agrees.ok()) << one.flag;
    EXPECT_EQ(agrees.code(), base::ErrorCode::kInvalid);
    EXPECT_NE(agrees.error().context.find(one.flag), std::string::npos);
    EXPECT_NE(agrees.error().context.find("D/agent.yaml"), std::string::npos);
  }
}

TEST(RegionDefinition, TakesFlagsThatRepeatTheFile) {
  UpOptions options;
  options.port_base = 21000;
  options.gameday = true;
  options.open = true;
  options.policy = "/opt/../opt/p.yaml";
  const Definition made = make_definition(options, defaults());
  EXPECT_TRUE(check_no_contradiction(made, options, "agent.yaml").ok());
  EXPECT_TRUE(check_no_contradiction(made, {}, "agent.yaml").ok());
}

}  // namespace
}  // namespace cli
