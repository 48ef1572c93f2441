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

TEST(AgentConfig, ReadsWhatTheAgentMayTake) {
  const auto with = [](const std::string& budget) {
    return changed("policy:", "budget: " + budget + "\npolicy:");
  };
  auto spec = parse_agent_config(with("{cpu: 2%, memory: 32MiB}"), "agent.yaml", "/d");
  ASSERT_TRUE(spec.ok()) << spec.error().context;
  EXPECT_DOUBLE_EQ(spec->budget.cpu_share, 0.02);
  EXPECT_EQ(spec->budget.memory_bytes, 32u << 20);
  EXPECT_EQ(spec->budget.disk_bytes_per_second, 1u << 20);
  EXPECT_NE(problem(with("{cpu: 200%}")).find("agent.yaml:6"), std::string::npos);
  EXPECT_NE(problem(with("{cpu: 0%}")).find("0.1% to 100%"), std::string::npos);
  EXPECT_NE(problem(with("{memory: 1MiB}")).find("budget.memory"), std::string::npos);
  EXPECT_NE(problem(with("{net: 1MiB}")).find("net"), std::string::npos);
}

TEST(AgentConfig, RefusesIdsAndAddressesThatAreTaken) {
  EXPECT_NE(problem(changed("id: amber-proxy-2", "id: amber-proxy-1")).find("taken at"),
            std::string::npos);
  EXPECT_NE(problem(changed("address: 127.0.1.11", "address: 127.0.1.1")).find("taken at"),
            std::string::npos);
  EXPECT_NE(problem(changed("id: amber-proxy-2", "id: forwarder")).find("mcguard itself"),
            std::string::npos);
}

TEST(AgentConfig, ReadsWithWhomEchoesAreExchanged) {
  const auto with = [](const std::string& echo) { return changed("policy:", echo + "\npolicy:"); };
  const auto spec = parse_agent_config(
      with("echo: {listen: 10.0.0.1, peers: [{address: 10.0.0.2}, {address: 10.0.0.3, port: 7}]}"),
      "agent.yaml", "/d");
  ASSERT_TRUE(spec.ok()) << spec.error().context;
  EXPECT_EQ(spec->echo_address(), "10.0.0.1");
  ASSERT_EQ(spec->echo.peers.size(), 2u);
  EXPECT_EQ(spec->echo.peers[0].port, spec->ports.agents);
  EXPECT_EQ(spec->echo.peers[1].port, 7);
  const auto wrong = [&](const std::string& echo) { return problem(with(echo)); };
  EXPECT_NE(wrong("echo: {peers: []}").find("listen"), std::string::npos);
  EXPECT_NE(wrong("echo: {listen: '::1'}").find("agent.yaml:6:16: echo.listen"), std::string::npos)
      << wrong("echo: {listen: '::1'}");
  EXPECT_NE(wrong("echo: {listen: 10.0.0.1, peers: [{address: host}]}").find("an IPv4 address"),
            std::string::npos);
  EXPECT_NE(wrong("echo: {listen: 10.0.0.1, peers: [{address: 10.0.0.2}, {address: 10.0.0.2}]}")
                .find("an address of its own among the peers"),
            std::string::npos);
  EXPECT_NE(wrong("echo: {listen: 10.0.0.1, peer: 1}").find("peer"), std::string::npos);
}

TEST(AgentConfig, OutsideOfGameDaysNobodyAnswersEchoesUnlessToldTo) {
  EXPECT_EQ(parse_agent_config(kGood, "agent.yaml", "/d")->echo_address(), "127.0.0.1");
  EXPECT_EQ(parse_agent_config(changed("gameday: true", "gameday: false"), "agent.yaml", "/d")
                ->echo_address(),
            "");
}

TEST(AgentConfig, TakesUnixSocketsForBackends) {
  std::string text = changed("gameday: true", "gameday: false");
  const std::string before = "address: 127.0.1.11", path = "/run/mcguard/amber-1.sock";
  text.replace(text.find(before), before.size(), "address: " + path);
  const auto spec = parse_agent_config(text, "agent.yaml", "/srv/region");
  ASSERT_TRUE(spec.ok()) << spec.error().context;
  const coord::ClusterSpec& amber = spec->clusters.at(0);
  EXPECT_EQ(amber.backends.at(0).address, path);
  EXPECT_EQ(amber.port_of(amber.backends.at(0)), 0);
  const auto with = [&](const std::string& other) {
    std::string wrong = text;
    return problem(wrong.replace(wrong.find(path), path.size(), other));
  };
  EXPECT_NE(with("run/b.sock").find("absolute path of a Unix socket"), std::string::npos);
  EXPECT_NE(with("/run//b.sock").find("without '.', '..' and '//'"), std::string::npos);
  EXPECT_NE(with("/run/b.sock/").find("the path of a Unix socket"), std::string::npos);
  EXPECT_NE(with("/" + std::string(107, 'x')).find("at most 107 bytes"), std::string::npos);
  EXPECT_NE(problem(changed(before, "address: " + path)).find("game days forward each link"),
            std::string::npos);
}

TEST(AgentConfig, RefusesASocketThatIsTaken) {
  const std::string two =
      "{id: one, address: /run/b.sock}\n      - {id: two, address: /run/b.sock}\n";
  const std::string text =
      "programs: {proxy: p, memcached: m, tool: t}\nrules_dir: r\nrunbooks_dir: b\npolicy: p\n"
      "clusters:\n  - name: amber\n    proxies: [{id: amber-proxy-1, address: 127.0.1.1}]\n"
      "    backends:\n      - " +
      two;
  EXPECT_NE(problem(text).find("an address of its own in the region, it is taken at"),
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
