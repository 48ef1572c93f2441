#include "proxy/config/config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <thread>

#include "base/config/yaml.h"
#include "base/telemetry/segment.h"

namespace proxy {
namespace {

using base::config::Map;
using base::config::Node;
using base::config::Problems;

constexpr Duration kMostTimeout = std::chrono::hours(24);
constexpr Duration kLeastKeepalive = std::chrono::seconds(2);
constexpr Duration kMostKeepalive = std::chrono::hours(8);  // the kernel's: 9 h

bool is_numeric_address(const std::string& text) {
  unsigned char scratch[16];
  return ::inet_pton(AF_INET, text.c_str(), scratch) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), scratch) == 1;
}

bool is_loopback(const std::string& text) {
  return text == "::1" || text.rfind("127.", 0) == 0;
}

std::string name_of(Map& map, std::string_view key, size_t longest) {
  const Node node = map.required(key);
  std::string text = node.text();
  const bool fine = !text.empty() && text.size() <= longest &&
                    std::all_of(text.begin(), text.end(), [](unsigned char c) {
                      return std::isalnum(c) || c == '-' || c == '_' || c == '.';
                    });
  if (!node.is_null() && !fine) {
    node.problem("a name of 1 to " + std::to_string(longest) + " letters, digits, '-', '_', '.'");
  }
  return text;
}

std::string path_of(Map& map, std::string_view key) {
  const Node node = map.required(key);
  std::string text = node.text();
  if (!node.is_null() && (text.empty() || text[0] != '/')) node.problem("an absolute path");
  return text;
}

Endpoint read_address(Map& map, bool any_port) {
  Endpoint endpoint;
  const Node address = map.required("address");
  endpoint.address = address.text();
  if (!address.is_null() && !is_numeric_address(endpoint.address)) {
    address.problem("a numeric IPv4 or IPv6 address");
  }
  const Node port = map.required("port");
  if (!port.is_null()) endpoint.port = static_cast<uint16_t>(port.integer(any_port ? 0 : 1, 65535));
  return endpoint;
}

Endpoint read_endpoint(const Node& node, bool any_port) {
  Map map(node);
  const Endpoint endpoint = read_address(map, any_port);
  map.finish();
  return endpoint;
}

uint32_t read_mode(const Node& node) {
  const std::string text = node.text();
  const bool fine =
      !text.empty() && text.size() <= 4 && text.find_first_not_of("01234567") == std::string::npos;
  const uint32_t mode = fine ? static_cast<uint32_t>(std::stoul(text, nullptr, 8)) : 0;
  if (!fine || mode > 0777) node.problem("three octal digits, such as 0660");
  return mode;
}

void read_listen(const Node& node, ProxyConfig& config) {
  Map map(node);
  config.listen = read_address(map, true);
  if (map.has("unix")) config.unix_listen.emplace().path = path_of(map, "unix");
  if (const auto mode = map.optional("unix_mode")) {
    if (config.unix_listen) {
      config.unix_listen->mode = read_mode(*mode);
    } else {
      mode->problem("unix, the path of the socket, beside its mode");
    }
  }
  map.finish();
}

OpenListener read_open(const Node& node, const std::string& listen_address) {
  Map map(node);
  OpenListener open;
  const Node port = map.required("port");
  if (!port.is_null()) open.port = static_cast<uint16_t>(port.integer(0, 65535));
  const Node cache = map.required("cache");
  if (!cache.is_null()) open.cache = static_cast<base::CacheId>(cache.integer(1, (1 << 24) - 1));
  map.finish();
  if (!is_loopback(listen_address)) {
    node.problem("listen.address on loopback (127.x or ::1) when a cache is served to anybody");
  }
  return open;
}

PemFile read_pem_file(Map& map, std::string_view key) {
  PemFile file{path_of(map, key), {}};
  if (const auto node = map.optional(key)) {
    file.origin = node->place().to_string() + ": " + node->path();
  }
  return file;
}

TlsCertificate read_certificate(Map& map) {
  TlsCertificate files;
  files.certificate = read_pem_file(map, "certificate");
  files.key = read_pem_file(map, "key");
  return files;
}

TlsListener read_tls(const Node& node) {
  Map map(node);
  TlsListener tls;
  const Node port = map.required("port");
  if (!port.is_null()) tls.port = static_cast<uint16_t>(port.integer(0, 65535));
  tls.certificates.push_back(read_certificate(map));
  if (const auto more = map.optional("more_certificates")) {
    for (const Node& item : more->list()) {
      Map entry(item);
      tls.certificates.push_back(read_certificate(entry));
      entry.finish();
    }
  }
  if (map.has("client_ca")) tls.client_ca = read_pem_file(map, "client_ca");
  const bool has_policy = map.has("client_certificates");
  tls.client_required = map.choice("client_certificates", 0, {"required", "optional"}) == 0;
  if (has_policy && !tls.client_ca) {
    node.problem("client_ca, the file of those who sign, beside client_certificates");
  }
  tls.min_version = static_cast<TlsVersion>(map.choice("min_version", 0, {"1.2", "1.3"}));
  map.finish();
  return tls;
}

std::vector<Network> read_proxy_protocol(const Node& node) {
  Map map(node);
  std::vector<Network> networks;
  if (const Node from = map.required("from"); !from.is_null()) {
    for (const Node& item : from.list()) {
      if (const auto network = parse_network(item.text())) {
        networks.push_back(*network);
      } else {
        item.problem("an address or a network such as 10.0.0.0/8, without bits behind its prefix");
      }
    }
  }
  map.finish();
  return networks;
}

Timeouts read_timeouts(const Node& node) {
  Map map(node);
  Timeouts t;
  t.authenticate = map.duration("authenticate", t.authenticate, 100ms, kMostTimeout);
  t.request = map.duration("request", t.request, 10ms, kMostTimeout);
  t.queue = map.duration("queue", t.queue, Duration(0), kMostTimeout);
  t.connect = map.duration("connect", t.connect, 10ms, kMostTimeout);
  t.idle = map.duration("idle", t.idle, Duration(0), kMostTimeout);
  t.keepalive = map.duration("keepalive", t.keepalive, Duration(0), kMostKeepalive);
  map.finish();
  if (t.keepalive > Duration(0) && t.keepalive < kLeastKeepalive) {
    node.problem("keepalive of 0s (never) or at least 2s: the kernel counts in seconds");
  }
  return t;
}

uint64_t read_count(Map& map, std::string_view key, uint64_t fallback) {
  return static_cast<uint64_t>(map.integer(key, static_cast<int64_t>(fallback), 0, 10'000'000));
}

constexpr uint64_t kMostBytes = 1ull << 40;

// What is to hold values, unless there is no limit, has to hold one. `name`: of the key.
void check_room(const Node& node, std::string_view name, uint64_t bytes) {
  if (bytes == 0 || bytes >= 2 * 1048576) return;
  node.problem(std::string(name) + " of 0 (no limit) or at least 2MiB: one value may be 1MiB");
}

// A limit in bytes and requests at once.
template <class Limit>
Limit read_double_limit(const Node& node) {
  Map map(node);
  Limit limit;
  limit.bytes = map.bytes("bytes", limit.bytes, 0, kMostBytes);
  limit.requests = read_count(map, "requests", limit.requests);
  map.finish();
  check_room(node, "bytes", limit.bytes);
  return limit;
}

ConnectionRate read_connection_rate(const Node& node) {
  Map map(node);
  ConnectionRate rate;
  rate.proxy = read_count(map, "proxy", rate.proxy);
  rate.client = read_count(map, "client", rate.client);
  rate.credential = read_count(map, "credential", rate.credential);
  map.finish();
  return rate;
}

InFlightLimits read_in_flight(const Node& node) {
  Map map(node);
  InFlightLimits limits;
  if (const auto proxy = map.optional("proxy"))
    limits.proxy = read_double_limit<InFlightLimit>(*proxy);
  if (const auto credential = map.optional("credential")) {
    limits.credential = read_double_limit<InFlightLimit>(*credential);
  }
  map.finish();
  return limits;
}

Limits read_limits(const Node& node) {
  Map map(node);
  Limits l;
  l.connections = read_count(map, "connections", l.connections);
  l.connections_per_client = read_count(map, "connections_per_client", l.connections_per_client);
  l.in_flight_bytes = map.bytes("in_flight_bytes", l.in_flight_bytes, 0, kMostBytes);
  if (const auto in_flight = map.optional("in_flight")) l.in_flight = read_in_flight(*in_flight);
  if (const auto queue = map.optional("backend_queue")) {
    l.backend_queue = read_double_limit<BackendQueue>(*queue);
  }
  if (const auto rate = map.optional("connection_rate")) {
    l.connection_rate = read_connection_rate(*rate);
  }
  map.finish();
  check_room(node, "in_flight_bytes", l.in_flight_bytes);
  return l;
}

LoopPolicy read_loop(const Node& node) {
  Map map(node);
  LoopPolicy l;
  l.coalesce = map.duration("coalesce", l.coalesce, Duration(0), 10ms);
  l.busy_poll = map.duration("busy_poll", l.busy_poll, Duration(0), 10ms);
  l.busy_poll_when = static_cast<PollWhen>(
      map.choice("busy_poll_when", size_t(l.busy_poll_when), {"cheaper", "always"}));
  map.finish();
  return l;
}

Samples read_samples(const Node& node) {
  Map map(node);
  Samples s;
  s.keys_one_in = static_cast<uint32_t>(map.integer("keys_one_in", s.keys_one_in, 0, 1'000'000));
  s.keys = static_cast<KeyText>(map.choice("keys", size_t(s.keys), {"text", "hash"}));
  s.slow = map.duration("slow", s.slow, Duration(0), kMostTimeout);
  s.slow_per_second =
      static_cast<uint32_t>(map.integer("slow_per_second", s.slow_per_second, 1, 1'000));
  map.finish();
  return s;
}

base::log::Options read_log(const Node& node) {
  Map map(node);
  base::log::Options log;
  log.level = static_cast<base::log::Level>(
      map.choice("level", size_t(log.level), {"debug", "info", "warn", "error"}));
  log.file = map.text("file", "");
  log.to = static_cast<base::log::Target>(
      map.choice("to", size_t(log.to), {"auto", "stderr", "file", "journal"}));
  log.max_bytes = map.bytes("max_bytes", log.max_bytes, 4096, kMostBytes);
  log.files = static_cast<uint32_t>(map.integer("files", log.files, 0, 100));
  log.json = map.boolean("json", false);
  map.finish();
  return log;
}

base::Result<ProxyConfig> read(const Node& root, Problems& problems) {
  ProxyConfig config;
  if (!problems.empty()) return problems.result().error();
  Map map(root);
  config.id = name_of(map, "id", 63);
  config.cluster = name_of(map, "cluster", 63);
  if (const Node node = map.required("listen"); !node.is_null()) {
    read_listen(node, config);
  }
  if (const auto node = map.optional("open")) {
    config.open = read_open(*node, config.listen.address);
  }
  if (const auto node = map.optional("tls")) config.tls = read_tls(*node);
  if (const auto node = map.optional("proxy_protocol")) {
    config.proxy_protocol_from = read_proxy_protocol(*node);
  }
  if (const Node node = map.required("metrics"); !node.is_null()) {
    config.metrics = read_endpoint(node, true);
  }
  const int64_t cores = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 64);
  config.workers = static_cast<uint32_t>(
      map.integer("workers", cores, 1, int64_t(base::telemetry::kMaxWorkers)));
  config.state_dir = path_of(map, "state_dir");
  config.control_socket = path_of(map, "control_socket");
  if (map.has("agent_socket")) config.agent_socket = path_of(map, "agent_socket");
  config.telemetry_file = path_of(map, "telemetry_file");
  if (const auto node = map.optional("timeouts")) config.timeouts = read_timeouts(*node);
  if (const auto node = map.optional("limits")) config.limits = read_limits(*node);
  if (const auto node = map.optional("loop")) config.loop = read_loop(*node);
  if (const auto node = map.optional("samples")) config.samples = read_samples(*node);
  config.on_backend_failure =
      static_cast<FailurePolicy>(map.choice("on_backend_failure", 0, {"miss", "error"}));
  if (const auto node = map.optional("log")) config.log = read_log(*node);
  map.finish();
  if (!problems.empty()) return problems.result().error();
  return config;
}

}  // namespace

base::Result<ProxyConfig> load_config(const std::string& path) {
  Problems problems;
  const Node root = base::config::Document::load(path, problems);
  return read(root, problems);
}

base::Result<ProxyConfig> parse_config(std::string_view text, const std::string& name) {
  Problems problems;
  const Node root = base::config::Document::parse(text, name, problems);
  return read(root, problems);
}

std::string_view fixed_difference(const ProxyConfig& running, const ProxyConfig& wanted) {
  const auto same = [](const Endpoint& a, const Endpoint& b) {
    return a.address == b.address && a.port == b.port;
  };
  if (running.id != wanted.id) return "id";
  if (running.cluster != wanted.cluster) return "cluster";
  if (!same(running.listen, wanted.listen)) return "listen";
  const auto unix_of = [](const ProxyConfig& c) {
    return c.unix_listen ? c.unix_listen->path + ":" + std::to_string(c.unix_listen->mode) : "";
  };
  if (unix_of(running) != unix_of(wanted)) return "listen.unix";
  if (running.tls.has_value() != wanted.tls.has_value()) return "tls";
  if (running.tls && running.tls->port != wanted.tls->port) return "tls.port";
  if (running.open.has_value() != wanted.open.has_value()) return "open";
  if (running.open &&
      (running.open->port != wanted.open->port || running.open->cache != wanted.open->cache)) {
    return "open";
  }
  if (!same(running.metrics, wanted.metrics)) return "metrics";
  if (running.workers != wanted.workers) return "workers";
  if (running.state_dir != wanted.state_dir) return "state_dir";
  if (running.control_socket != wanted.control_socket) return "control_socket";
  if (running.agent_socket != wanted.agent_socket) return "agent_socket";
  if (running.telemetry_file != wanted.telemetry_file) return "telemetry_file";
  if (running.log.file != wanted.log.file) return "log.file";
  if (running.log.to != wanted.log.to) return "log.to";
  if (running.log.max_bytes != wanted.log.max_bytes) return "log.max_bytes";
  if (running.log.files != wanted.log.files) return "log.files";
  if (running.log.json != wanted.log.json) return "log.json";
  return {};
}

}  // namespace proxy
