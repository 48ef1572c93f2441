#include "cli/region/definition.h"

#include <filesystem>

#include "base/config/yaml.h"
#include "base/core/file.h"

namespace cli {
namespace {

using base::ErrorCode;
using base::config::Map;
using base::config::Node;

uint16_t port(int number) {
  return static_cast<uint16_t>(number);
}

ClusterPorts cluster_ports(const UpOptions& options) {
  ClusterPorts ports;
  if (options.port_base) {
    const int base = *options.port_base;
    ports = {port(base), port(base + 1), 0, port(base + 3), port(base + 30), port(base + 40)};
  }
  if (options.open) ports.open = port(ports.memcache + 2);
  return ports;
}

RegionPorts region_ports(const UpOptions& options) {
  if (!options.port_base) return {};
  const int base = *options.port_base;
  return {port(base + 20), port(base + 21), port(base + 22), port(base + 23)};
}

Cluster make_cluster(const std::string& name, int subnet, const UpOptions& options) {
  Cluster cluster;
  cluster.name = name;
  cluster.ports = cluster_ports(options);
  const std::string prefix = "127.0." + std::to_string(subnet) + ".";
  for (int i = 1; i <= 2; ++i) {
    const std::string number = std::to_string(i);
    cluster.proxies.push_back({name + "-proxy-" + number, prefix + number});
    cluster.backends.push_back({name + "-backend-" + number, prefix + std::to_string(10 + i)});
  }
  return cluster;
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// Double-quoted unless every character is harmless in a YAML flow map.
std::string quoted(const std::string& text) {
  const bool plain = text.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-+@") ==
                     std::string::npos;
  if (plain && !text.empty()) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string yaml_of(const Cluster& cluster) {
  const ClusterPorts& p = cluster.ports;
  std::string out =
      "  - name: " + cluster.name + "\n    ports: {memcache: " + std::to_string(p.memcache) +
      ", tls: " + std::to_string(p.tls) + ", open: " + std::to_string(p.open) +
      ", backend: " + std::to_string(p.backend) + ", metrics: " + std::to_string(p.metrics) +
      ", links: " + std::to_string(p.links) + "}\n    proxies:\n";
  for (const Member& proxy : cluster.proxies) {
    out += "      - {id: " + proxy.id + ", address: " + proxy.address + ", workers: 1}\n";
  }
  out += "    backends:\n";
  for (const Member& backend : cluster.backends) {
    out += "      - {id: " + backend.id + ", address: " + backend.address +
           ", memory: 64MiB, weight: 1}\n";
  }
  return out;
}

uint16_t read_port(Map& map, const char* key, int fallback, int min) {
  return port(static_cast<int>(map.integer(key, fallback, min, 65535)));
}

ClusterPorts read_cluster_ports(const Node& node) {
  Map map = node.map();
  ClusterPorts ports;
  ports.memcache = read_port(map, "memcache", 11211, 1);
  ports.tls = read_port(map, "tls", 11212, 0);
  ports.open = read_port(map, "open", 0, 0);
  ports.backend = read_port(map, "backend", 11214, 1);
  ports.metrics = read_port(map, "metrics", 7490, 1);
  ports.links = read_port(map, "links", 11240, 1);
  map.finish();
  return ports;
}

std::vector<Member> read_members(const Node& node, bool proxies) {
  std::vector<Member> members;
  for (const Node& item : node.list()) {
    Map map = item.map();
    members.push_back({map.required("id").text(), map.required("address").text()});
    if (proxies) {
      map.integer("workers", 1, 1, 64);
    } else {
      map.bytes("memory", 64u << 20, 1u << 20, uint64_t{1} << 40);
      map.integer("weight", 1, 1, 1000);
    }
    map.finish();
  }
  return members;
}

Cluster read_cluster(const Node& node) {
  Map map = node.map();
  Cluster cluster;
  cluster.name = map.required("name").text();
  if (auto ports = map.optional("ports")) cluster.ports = read_cluster_ports(*ports);
  cluster.proxies = read_members(map.required("proxies"), true);
  cluster.backends = read_members(map.required("backends"), false);
  map.finish();
  return cluster;
}

void read_ports(const Node& node, RegionPorts& ports) {
  Map map = node.map();
  ports.operator_api = read_port(map, "operator", 7480, 1);
  ports.status = read_port(map, "status", 7481, 1);
  ports.customer = read_port(map, "customer", 7482, 1);
  ports.agents = read_port(map, "agents", 7483, 1);
  map.finish();
}

void read_programs(const Node& node, Definition& definition) {
  Map map = node.map();
  definition.proxy = map.required("proxy").text();
  definition.memcached = map.required("memcached").text();
  definition.tool = map.required("tool").text();
  map.finish();
}

base::Error contradicts(const std::string& flag, const std::string& file, const std::string& says) {
  return base::Error(ErrorCode::kInvalid,
                     flag + " contradicts " + file + ", which says " + says +
                         ": edit that file, leave the flag out, or start another region with "
                         "--dir");
}

// A flag for a path, against what the file says.
base::Result<> check_path(const char* flag, const std::string& wanted, const char* key,
                          const std::string& says, const std::string& file) {
  if (wanted.empty() || absolute(wanted) == absolute(says)) return {};
  return contradicts(std::string(flag) + " " + wanted, file, std::string(key) + ": " + says);
}

}  // namespace

Definition make_definition(const UpOptions& options, Definition definition) {
  definition.gameday = options.gameday;
  definition.ports = region_ports(options);
  if (!options.proxy_binary.empty()) definition.proxy = absolute(options.proxy_binary);
  if (!options.rules_dir.empty()) definition.rules_dir = absolute(options.rules_dir);
  if (!options.runbooks_dir.empty()) definition.runbooks_dir = absolute(options.runbooks_dir);
  definition.policy =
      !options.policy.empty()
          ? absolute(options.policy)
          : definition.rules_dir + (options.gameday ? "/policy-gameday.yaml" : "/policy.yaml");
  definition.clusters = {make_cluster("amber", 1, options), make_cluster("birch", 2, options)};
  return definition;
}

std::string to_yaml(const Definition& d) {
  std::string out =
      "region: " + d.region + "\ngameday: " + (d.gameday ? "true" : "false") +
      "\nports: {operator: " + std::to_string(d.ports.operator_api) +
      ", status: " + std::to_string(d.ports.status) +
      ", customer: " + std::to_string(d.ports.customer) +
      ", agents: " + std::to_string(d.ports.agents) + "}\nprograms: {proxy: " + quoted(d.proxy) +
      ", memcached: " + quoted(d.memcached) + ", tool: " + quoted(d.tool) +
      "}\nrules_dir: " + quoted(d.rules_dir) + "\nrunbooks_dir: " + quoted(d.runbooks_dir) +
      "\npolicy: " + quoted(d.policy) + "\nclusters:\n";
  for (const Cluster& cluster : d.clusters) out += yaml_of(cluster);
  return out;
}

base::Result<Definition> parse_definition(const std::string& text, const std::string& file) {
  base::config::Problems problems;
  const Node root = base::config::Document::parse(text, file, problems);
  if (!problems.empty()) return problems.result().error();
  Definition definition;
  Map map = root.map();
  definition.region = map.text("region", "local");
  definition.gameday = map.boolean("gameday", false);
  if (auto ports = map.optional("ports")) read_ports(*ports, definition.ports);
  read_programs(map.required("programs"), definition);
  definition.rules_dir = map.required("rules_dir").text();
  definition.runbooks_dir = map.required("runbooks_dir").text();
  definition.policy = map.required("policy").text();
  // The agent's alone, which checks them.
  map.optional("record");
  map.optional("echo");
  map.optional("budget");
  for (const Node& cluster : map.required("clusters").list()) {
    definition.clusters.push_back(read_cluster(cluster));
  }
  map.finish();
  if (!problems.empty()) return problems.result().error();
  return definition;
}

base::Result<Definition> load_definition(const std::string& path) {
  auto text = base::read_file(path, 1u << 20);
  if (!text) return text.error();
  return parse_definition(*text, path);
}

base::Result<> check_no_contradiction(const Definition& definition, const UpOptions& options,
                                      const std::string& file) {
  if (options.gameday && !definition.gameday) {
    return contradicts("--gameday", file, "gameday: false");
  }
  for (const Cluster& cluster : definition.clusters) {
    if (options.open && cluster.ports.open == 0) {
      return contradicts("--open", file, "open: 0 for cluster " + cluster.name);
    }
    if (options.port_base && cluster.ports.memcache != *options.port_base) {
      return contradicts(
          "--port-base " + std::to_string(*options.port_base), file,
          "memcache: " + std::to_string(cluster.ports.memcache) + " for cluster " + cluster.name);
    }
  }
  if (options.port_base && definition.ports.operator_api != *options.port_base + 20) {
    return contradicts("--port-base " + std::to_string(*options.port_base), file,
                       "operator: " + std::to_string(definition.ports.operator_api));
  }
  const struct {
    const char *flag, *key;
    const std::string &wanted, &says;
  } paths[] = {
      {"--policy", "policy", options.policy, definition.policy},
      {"--rules-dir", "rules_dir", options.rules_dir, definition.rules_dir},
      {"--runbooks-dir", "runbooks_dir", options.runbooks_dir, definition.runbooks_dir},
      {"--proxy-binary", "programs.proxy", options.proxy_binary, definition.proxy},
  };
  for (const auto& path : paths) {
    auto same = check_path(path.flag, path.wanted, path.key, path.says, file);
    if (!same) return same;
  }
  return {};
}

}  // namespace cli
