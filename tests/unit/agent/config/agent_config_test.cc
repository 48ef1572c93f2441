#include "agent/config/agent_config.h"

#include <gtest/gtest.h>

namespace agent::config {
namespace {

constexpr const char* kGood = R"(region: test
gameday: true
programs: {proxy: /p, memcached: /m, tool: /t}
rules_dir: /rules
runbooks_dir: /runbooks
policy: /rules/policy.yaml
clusters:
  - name: amber
    ports: {memcache: 21000, open: 21002, backend: 21003, metrics: 21030, links: 21040}
    proxies:
      - {id: amber-proxy-1, address: 127.0.1.1, workers: 2}
      - {id: amber-proxy-2, address: 127.0.1.2}
    backends:
      - {id: amber-backend-1, address: 127.0.1.11, memory: 32MiB, weight: 2}
)";

std::string changed(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string problem(const std::string& text) {
  auto spec = parse_agent_config(text, "agent.yaml", "/d");
  return spec.ok() ? "" : spec.error().context;
}

TEST(AgentConfig, ReadsARegion) {
  auto spec = parse_agent_config(kGood, "agent.yaml", "/tmp/../d/");
  ASSERT_TRUE(spec.ok()) << spec.error().context;
  EXPECT_EQ(spec->dir, "/d");
  EXPECT_TRUE(spec->gameday);
  const coord::ClusterSpec& amber = spec->clusters.at(0);
  EXPECT_EQ(amber.ports.open, 21002);
  EXPECT_EQ(amber.proxies.at(0).workers, 2u);
  EXPECT_EQ(amber.backends.at(0).memory, 32u << 20);
  EXPECT_EQ(amber.backends.at(0).weight, 2u);
  const coord::Region region(*spec);
  EXPECT_EQ(region.link_port(amber, "amber-proxy-2"), 21041);
}

TEST(AgentConfig, NamesThePlaceOfEveryProblem) {
  EXPECT_NE(problem(changed("gameday: true", "gamedy: true")).find("agent.yaml:2:1"),
            std::string::npos);
  EXPECT_NE(problem(changed("workers: 2", "workers: many")).find("workers"), std::string::npos);
  EXPECT_NE(problem(changed("address: 127.0.1.2", "address: host")).find("IPv4 or IPv6"),
            std::string::npos);
}

TEST(AgentConfig, RefusesIdsAndAddressesThatAreTaken) {
  EXPECT_NE(problem(changed("id: amber-proxy-2", "id: amber-proxy-1")).find("taken at"),
            std::string::npos);
  EXPECT_NE(problem(changed("address: 127.0.1.11", "address: 127.0.1.1")).find("taken at"),
            std::string::npos);
  EXPECT_NE(problem(changed("id: amber-proxy-2", "id: forwarder")).find("mcguard itself"),
            std::string::npos);
}

TEST(AgentConfig, RefusesPortsThatCollide) {
  EXPECT_NE(problem(changed("open: 21002", "open: 21000")).find("different ports"),
            std::string::npos);
  EXPECT_NE(problem(changed("backend: 21003", "backend: 21041")).find("outside the links"),
            std::string::npos);
}

}  // namespace
}  // namespace agent::config
