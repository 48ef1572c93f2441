#include "agent/config/agent_config.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <filesystem>
#include <map>

#include "base/config/yaml.h"

namespace agent::config {
namespace {

using base::config::Document;
using base::config::Map;
using base::config::Node;
using base::config::Problems;

constexpr size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;

bool is_address(const std::string& text) {
  in6_addr six{};
  in_addr four{};
  return inet_pton(AF_INET, text.c_str(), &four) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &six) == 1;
}

// Names are parts of file names, labels and store keys.
bool is_name(const std::string& text) {
  if (text.empty() || text.size() > 47 || text.front() == '-') return false;
  for (const char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

// Walks the file; remembers what must be unique over the region.
class Reader {
 public:
  explicit Reader(const std::string& dir) {
    std::error_code ignored;
    const auto absolute = std::filesystem::absolute(dir, ignored).lexically_normal();
    spec_.dir = absolute.string();
    while (spec_.dir.size() > 1 && spec_.dir.back() == '/') spec_.dir.pop_back();
  }

  coord::RegionSpec read(const Node& root) {
    Map map(root);
    spec_.region = map.text("region", spec_.region);
    spec_.gameday = map.boolean("gameday", spec_.gameday);
    if (const auto ports = map.optional("ports")) read_ports(*ports);
    read_programs(map.required("programs"));
    spec_.rules_dir = map.required("rules_dir").text();
    spec_.runbooks_dir = map.required("runbooks_dir").text();
    spec_.policy = map.required("policy").text();
    if (const auto budget = map.optional("budget")) read_budget(*budget);
    if (const auto record = map.optional("record")) read_record(*record);
    if (const auto echo = map.optional("echo")) read_echo(*echo);
    const Node clusters = map.required("clusters");
    if (clusters.is_list() && clusters.list().empty()) clusters.problem("at least one cluster");
    for (const Node& cluster : clusters.list()) read_cluster(cluster);
    map.finish();
    return std::move(spec_);
  }

 private:
  static uint16_t port(Map& map, std::string_view key, uint16_t fallback, int64_t least) {
    return static_cast<uint16_t>(map.integer(key, fallback, least, 65535));
  }

  void read_ports(const Node& node) {
    Map map(node);
    coord::RegionPorts& ports = spec_.ports;
    ports.operator_api = port(map, "operator", ports.operator_api, 1);
    ports.status = port(map, "status", ports.status, 1);
    ports.customer = port(map, "customer", ports.customer, 1);
    ports.agents = port(map, "agents", ports.agents, 1);
    map.finish();
    require_distinct(node, {{"operator", ports.operator_api},
                            {"status", ports.status},
                            {"customer", ports.customer},
                            {"agents", ports.agents}});
  }

  void read_record(const Node& node) {
    Map map(node);
    spec_.record_bytes = map.bytes("size", spec_.record_bytes, 0, uint64_t{1} << 40);
    // Segments of a few blocks are the least that can be read.
    if (spec_.record_bytes > 0 && spec_.record_bytes < (1u << 20)) {
      map.required("size").problem("0, or at least 1MiB");
    }
    map.finish();
  }

  void read_echo(const Node& node) {
    Map map(node);
    spec_.echo.listen = four(map.required("listen"));
    const auto peers = map.optional("peers");
    std::map<std::string, std::string> taken;
    for (const Node& item : peers ? peers->list() : std::vector<Node>{}) {
      Map peer_map(item);
      coord::EchoPeer peer;
      const Node address = peer_map.required("address");
      peer.address = four(address);
      peer.port = port(peer_map, "port", spec_.ports.agents, 1);
      peer_map.finish();
      if (!peer.address.empty()) require_own(address, peer.address, taken, "among the peers");
      spec_.echo.peers.push_back(std::move(peer));
    }
    if (spec_.echo.peers.size() > 64) peers->problem("at most 64 peers");
    map.finish();
  }

  // Echoes travel over IPv4.
  static std::string four(const Node& node) {
    std::string text = node.text();
    in_addr ignored{};
    if (text.empty() || inet_pton(AF_INET, text.c_str(), &ignored) == 1) return text;
    node.problem("an IPv4 address");
    return "";
  }

  void read_programs(const Node& node) {
    Map map(node);
    spec_.programs.proxy = map.required("proxy").text();
    spec_.programs.memcached = map.required("memcached").text();
    spec_.programs.tool = map.required("tool").text();
    map.finish();
  }

  void read_budget(const Node& node) {
    Map map(node);
    coord::AgentBudget& budget = spec_.budget;
    budget.cpu_share = map.share("cpu", budget.cpu_share);
    if (budget.cpu_share < 0.001) node.problem("cpu of 0.1% to 100% of a core");
    budget.memory_bytes = map.bytes("memory", budget.memory_bytes, 16u << 20, uint64_t{1} << 40);
    budget.disk_bytes_per_second =
        map.bytes("disk", budget.disk_bytes_per_second, 1u << 10, uint64_t{1} << 40);
    map.finish();
  }

  void read_cluster(const Node& node) {
    Map map(node);
    coord::ClusterSpec cluster;
    cluster.name = name(map, "name");
    addresses_.clear();
    if (const auto ports = map.optional("ports")) read_cluster_ports(*ports, cluster.ports);
    const Node proxies = map.required("proxies");
    if (proxies.is_list() && proxies.list().empty()) proxies.problem("at least one proxy");
    for (const Node& proxy : proxies.list()) cluster.proxies.push_back(read_proxy(proxy));
    const Node backends = map.required("backends");
    if (backends.is_list() && backends.list().empty()) backends.problem("at least one backend");
    for (const Node& backend : backends.list()) cluster.backends.push_back(read_backend(backend));
    map.finish();
    if (cluster.backends.size() > 64) backends.problem("at most 64 backends");
    const size_t links_end = size_t{cluster.ports.links} + cluster.proxies.size();
    if (spec_.gameday && cluster.ports.backend >= cluster.ports.links &&
        cluster.ports.backend < links_end) {
      node.problem("ports.backend outside the links (ports.links and one per proxy)");
    }
    spec_.clusters.push_back(std::move(cluster));
  }

  void read_cluster_ports(const Node& node, coord::ClusterPorts& ports) {
    Map map(node);
    ports.memcache = port(map, "memcache", ports.memcache, 1);
    ports.tls = port(map, "tls", ports.tls, 0);
    ports.open = port(map, "open", ports.open, 0);
    ports.backend = port(map, "backend", ports.backend, 1);
    ports.metrics = port(map, "metrics", ports.metrics, 1);
    ports.links = port(map, "links", ports.links, 1);
    map.finish();
    require_distinct(node, {{"memcache", ports.memcache},
                            {"tls", ports.tls},
                            {"open", ports.open},
                            {"metrics", ports.metrics}});
  }

  coord::ProxySpec read_proxy(const Node& node) {
    Map map(node);
    coord::ProxySpec proxy;
    proxy.id = name(map, "id");
    proxy.address = address(map);
    proxy.workers = static_cast<uint32_t>(map.integer("workers", 0, 0, 64));
    map.finish();
    return proxy;
  }

  coord::BackendSpec read_backend(const Node& node) {
    Map map(node);
    coord::BackendSpec backend;
    backend.id = name(map, "id");
    backend.address = backend_address(map);
    backend.memory = map.bytes("memory", backend.memory, 8u << 20, uint64_t{1} << 40);
    backend.weight = static_cast<uint32_t>(map.integer("weight", backend.weight, 1, 1000));
    map.finish();
    return backend;
  }

  std::string name(Map& map, std::string_view key) {
    const Node node = map.required(key);
    std::string text = node.text();
    if (!is_name(text)) {
      node.problem("a name of at most 47 letters a-z, digits and hyphens");
    } else if (text == coord::kForwarderId || text == "agent" || text == "up") {
      node.problem("another name; this one is used by mcguard itself");
    } else if (const auto [at, fresh] = names_.emplace(text, node.place().to_string()); !fresh) {
      node.problem("a name of its own, it is taken at " + at->second);
    }
    return text;
  }

  std::string address(Map& map) {
    const Node node = map.required("address");
    std::string text = node.text();
    if (text.empty()) return text;
    if (!is_address(text)) {
      node.problem("an IPv4 or IPv6 address");
    } else {
      require_own(node, text, addresses_, "in the cluster");
    }
    return text;
  }

  // Also the path of a Unix socket, as of which there is one in the region.
  std::string backend_address(Map& map) {
    const Node node = map.required("address");
    std::string text = node.text();
    if (text.empty()) return text;
    if (text.front() != '/') {
      if (is_address(text)) {
        require_own(node, text, addresses_, "in the cluster");
      } else {
        node.problem("an IPv4 or IPv6 address, or the absolute path of a Unix socket");
      }
    } else if (spec_.gameday) {
      node.problem("an IPv4 or IPv6 address: game days forward each link, by TCP");
    } else if (text.size() > kLongestSocketPath || text.back() == '/' ||
               std::filesystem::path(text).lexically_normal().string() != text) {
      node.problem("the path of a Unix socket, of at most " + std::to_string(kLongestSocketPath) +
                   " bytes, without '.', '..' and '//'");
    } else {
      require_own(node, text, sockets_, "in the region");
    }
    return text;
  }

  static void require_own(const Node& node, const std::string& text,
                          std::map<std::string, std::string>& taken, const std::string& where) {
    const auto [at, fresh] = taken.emplace(text, node.place().to_string());
    if (!fresh) node.problem("an address of its own " + where + ", it is taken at " + at->second);
  }

  void require_distinct(const Node& node, const std::map<std::string, uint16_t>& ports) {
    std::map<uint16_t, std::string> seen;
    for (const auto& [what, number] : ports) {
      if (number == 0) continue;
      const auto [at, fresh] = seen.emplace(number, what);
      if (!fresh) node.problem("different ports; " + what + " and " + at->second + " are the same");
    }
  }

  coord::RegionSpec spec_;
  std::map<std::string, std::string> names_;      // -> place
  std::map<std::string, std::string> addresses_;  // of the present cluster
  std::map<std::string, std::string> sockets_;    // paths
};

base::Result<coord::RegionSpec> finish(coord::RegionSpec spec, const Problems& problems) {
  if (auto judged = problems.result(); !judged.ok()) return judged.error();
  return spec;
}

}  // namespace

base::Result<coord::RegionSpec> parse_agent_config(std::string_view text, const std::string& file,
                                                   const std::string& dir) {
  Problems problems;
  coord::RegionSpec spec = Reader(dir).read(Document::parse(text, file, problems));
  return finish(std::move(spec), problems);
}

base::Result<coord::RegionSpec> load_agent_config(const std::string& path, const std::string& dir) {
  Problems problems;
  coord::RegionSpec spec = Reader(dir).read(Document::load(path, problems));
  return finish(std::move(spec), problems);
}

}  // namespace agent::config
