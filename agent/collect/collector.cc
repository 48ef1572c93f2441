#include "agent/collect/collector.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <unordered_map>

#include "agent/collect/process_reader.h"
#include "agent/collect/proxy_telemetry.h"
#include "agent/collect/socket_counter.h"
#include "base/core/check.h"
#include "base/core/hash.h"
#include "base/telemetry/log.h"

namespace agent::collect {
namespace {

using coord::Kind;
using series::Sample;

constexpr base::Duration kTelemetryEvery = std::chrono::milliseconds(100);
constexpr int kTelemetryRoundsPerMeasure = 10;
// Soon after the start: without figures no guard lets a run go on that the last agent left behind.
constexpr int kFirstMeasure = 2;
constexpr base::Duration kProbeEvery = std::chrono::milliseconds(500);
constexpr base::Duration kProbeTimeout = std::chrono::seconds(1);
constexpr base::Duration kProcessEvery = std::chrono::seconds(1);
constexpr base::Duration kSocketEvery = std::chrono::seconds(1);
constexpr base::Duration kStatsEvery = std::chrono::seconds(10);
constexpr base::Duration kStatsTimeout = std::chrono::seconds(1);
constexpr double kSocketShare = 0.005;  // of a core, for socket dumps
constexpr size_t kTopClients = 10;
constexpr size_t kMaxRows = 100;

struct AddressHash {
  size_t operator()(const Address& address) const {
    return base::hash64({reinterpret_cast<const char*>(address.data()), address.size()}, 0);
  }
};
using Clients = std::unordered_map<Address, uint64_t, AddressHash>;

std::vector<std::pair<Address, uint64_t>> top(const Clients& clients, size_t count) {
  std::vector<std::pair<Address, uint64_t>> all(clients.begin(), clients.end());
  const size_t kept = std::min(count, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(kept), all.end(),
                    [](const auto& a, const auto& b) { return a.second > b.second; });
  all.resize(kept);
  return all;
}

boost::json::object to_json(const ProxyFigures& f) {
  boost::json::object o;
  o["connections"] = f.connections;
  o["kernel_connections"] = f.kernel_connections;
  o["requests_per_second"] = f.requests_per_second;
  o["errors_per_second"] = f.errors_per_second;
  o["p50_seconds"] = f.p50_seconds;
  o["p99_seconds"] = f.p99_seconds;
  o["slow_share"] = f.slow_share;
  o["heartbeat_age_seconds"] = f.heartbeat_age_seconds;
  o["telemetry_age_seconds"] = f.telemetry_age_seconds;
  o["epoch"] = f.epoch;
  o["prepared_epoch"] = f.prepared_epoch;
  o["canary_ok"] = f.canary_ok;
  o["memory_bytes"] = f.memory_bytes;
  o["cpu_seconds"] = f.cpu_seconds;
  o["open_files"] = f.open_files;
  return o;
}

boost::json::object to_json(const BackendFigures& f) {
  boost::json::object o;
  o["requests_per_second"] = f.requests_per_second;
  o["failures_per_second"] = f.failures_per_second;
  o["p99_seconds"] = f.p99_seconds;
  o["items"] = f.items;
  o["bytes"] = f.bytes;
  o["limit_bytes"] = f.limit_bytes;
  o["probe_ok"] = f.probe_ok;
  o["memory_bytes"] = f.memory_bytes;
  o["cpu_seconds"] = f.cpu_seconds;
  return o;
}

boost::json::object to_json(const HostFigures& f) {
  boost::json::object o;
  o["load_1m"] = f.load_1m;
  o["cpu_busy_share"] = f.cpu_busy_share;
  o["memory_total_bytes"] = f.memory_total_bytes;
  o["memory_available_bytes"] = f.memory_available_bytes;
  o["tcp_connections"] = f.tcp_connections;
  o["tcp_time_wait"] = f.tcp_time_wait;
  return o;
}

}  // namespace

Collector::Collector(const View& view, Sink sink)
    : view_(view),
      sink_(std::move(sink)),
      self_(std::make_unique<ProcessReader>()),
      sockets_(std::make_unique<SocketCounter>(view.executor)),
      host_(std::make_unique<HostReader>()) {
  const coord::RegionSpec& spec = view_.region.spec();
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      telemetry_.emplace(proxy.id, std::make_unique<ProxyTelemetry>(spec.telemetry_path(proxy.id),
                                                                    cluster.name, proxy.id));
      processes_.emplace(proxy.id, std::make_unique<ProcessReader>());
      ProxyFigures& figures = snapshot_.proxies[proxy.id];
      figures.id = proxy.id;
      figures.cluster = cluster.name;
      ipv6_ = ipv6_ || proxy.address.find(':') != std::string::npos;
    }
    for (const coord::BackendSpec& backend : cluster.backends) {
      processes_.emplace(backend.id, std::make_unique<ProcessReader>());
      BackendFigures& figures = snapshot_.backends[backend.id];
      figures.id = backend.id;
      figures.cluster = cluster.name;
    }
  }
}

Collector::~Collector() = default;

void Collector::start() {
  const boost::asio::any_io_executor& executor = view_.executor;
  base::Gate& gate = view_.gate;
  base::spawn(executor, gate, "collect telemetry", telemetry_loop());
  base::spawn(executor, gate, "collect sockets", socket_loop());
  base::spawn(executor, gate, "collect processes", process_loop());
  base::spawn(executor, gate, "collect statistics", stats_loop());
  for (const auto& [id, figures] : snapshot_.proxies) {
    base::spawn(executor, gate, "canary", canary_loop(id));
  }
  for (const auto& [id, figures] : snapshot_.backends) {
    base::spawn(executor, gate, "probe backend", probe_loop(id));
  }
}

Sample Collector::sample(const char* name, const coord::Process& member, double value) const {
  Sample result;
  result.key.name = name;
  result.key.cluster = member.cluster;
  (member.kind == Kind::kProxy ? result.key.proxy : result.key.backend) = member.id;
  result.at = view_.timers.clock().now();
  result.value = value;
  return result;
}

void Collector::on_process(std::string_view id, bool running) {
  const coord::Process* member = view_.region.process(id);
  if (member == nullptr || member->kind == Kind::kForwarder) return;
  const char* name = member->kind == Kind::kProxy ? "proxy_exited" : "backend_exited";
  std::vector<Sample> news;
  news.push_back(sample(name, *member, running ? 0 : 1));
  sink_(news);
}

void Collector::emit_ends(std::vector<Sample>& out) const {
  for (const coord::Process* member : view_.region.processes()) {
    if (member->kind == Kind::kForwarder) continue;
    const char* name = member->kind == Kind::kProxy ? "proxy_exited" : "backend_exited";
    out.push_back(sample(name, *member, member->pid == 0 ? 1 : 0));
  }
}

boost::asio::awaitable<void> Collector::telemetry_loop() {
  int round = 0;
  base::Instant next = view_.timers.clock().now();
  std::vector<Sample> samples;
  while (!view_.gate.closed()) {
    const base::Instant now = view_.timers.clock().now();
    samples.clear();
    for (const auto& [id, telemetry] : telemetry_) {
      telemetry->read(view_.region.process(id)->pid, now, samples);
    }
    if (++round % kTelemetryRoundsPerMeasure == kFirstMeasure) {
      measure(now, samples);
      emit_ends(samples);
    }
    if (!samples.empty()) sink_(samples);
    // A round that came late does not make the following ones hurry.
    next = std::max(next + kTelemetryEvery, now + kTelemetryEvery / 2);
    co_await view_.timers.wait_until(next);
  }
}

void Collector::measure(base::Instant now, std::vector<Sample>& out) {
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  for (const auto& [id, telemetry] : telemetry_) {
    telemetry->measure(now, snapshot_.proxies[id], shares, out);
  }
  for (auto& [id, figures] : snapshot_.backends) {
    const auto at = shares.find(id);
    if (at == shares.end() || at->second.seconds <= 0) continue;
    figures.requests_per_second = static_cast<double>(at->second.requests) / at->second.seconds;
    figures.failures_per_second = static_cast<double>(at->second.failures) / at->second.seconds;
    figures.p99_seconds = latency_figures(at->second.buckets).p99_seconds;
  }
}

boost::asio::awaitable<void> Collector::canary_loop(std::string proxy) {
  while (!view_.gate.closed()) {
    const base::Instant began = view_.timers.clock().now();
    const coord::Process& process = *view_.region.process(proxy);
    if (process.pid != 0 && process.state != coord::ProcessState::kStarting) {
      auto answers = co_await view_.canary.probe(proxy, 1, kProbeTimeout);
      std::vector<Sample> samples;
      bool all = !answers.empty();
      for (const action::CanaryAnswer& answer : answers) {
        Sample each = sample("canary_ok", process, answer.ok ? 1 : 0);
        each.key.backend = answer.backend;
        samples.push_back(each);
        all = all && answer.ok;
        if (!answer.ok) continue;
        each.key.name = "canary_seconds";
        each.value = base::to_seconds(answer.took);
        samples.push_back(std::move(each));
      }
      snapshot_.proxies[proxy].canary_ok = all;
      if (!samples.empty()) sink_(samples);
    } else {
      snapshot_.proxies[proxy].canary_ok = false;
    }
    const base::Instant now = view_.timers.clock().now();
    co_await view_.timers.wait_until(std::max(began + kProbeEvery, now + kProbeEvery / 10));
  }
}

boost::asio::awaitable<void> Collector::probe_loop(std::string backend) {
  while (!view_.gate.closed()) {
    const base::Instant began = view_.timers.clock().now();
    const coord::Process& process = *view_.region.process(backend);
    BackendFigures& figures = snapshot_.backends[backend];
    // While an answer is awaited the last one stands.
    if (process.pid == 0) figures.probe_ok = false;
    if (process.pid != 0) {
      const pid_t pid = process.pid;
      auto answer = co_await view_.backends.probe(backend, kProbeTimeout);
      figures.probe_ok = answer.ok();
      // A process that ended meanwhile says nothing about the next one.
      if (process.pid == pid) {
        std::vector<Sample> samples;
        samples.push_back(sample("backend_probe_ok", process, answer.ok() ? 1 : 0));
        sink_(samples);
      }
    }
    const base::Instant now = view_.timers.clock().now();
    co_await view_.timers.wait_until(std::max(began + kProbeEvery, now + kProbeEvery / 10));
  }
}

boost::asio::awaitable<void> Collector::stats_loop() {
  while (!view_.gate.closed()) {
    for (auto& [id, figures] : snapshot_.backends) {
      if (view_.region.process(id)->pid == 0) continue;
      auto stats = co_await view_.backends.stats(id, kStatsTimeout);
      if (!stats.ok()) continue;
      figures.items = stats->items;
      figures.bytes = stats->bytes;
      figures.limit_bytes = stats->limit_bytes;
    }
    co_await view_.timers.wait_for(kStatsEvery);
  }
}

boost::asio::awaitable<void> Collector::process_loop() {
  while (!view_.gate.closed()) {
    for (const auto& [id, reader] : processes_) {
      const ProcessFigures read = reader->read(view_.region.process(id)->pid);
      if (const auto at = snapshot_.proxies.find(id); at != snapshot_.proxies.end()) {
        at->second.memory_bytes = read.memory_bytes;
        at->second.cpu_seconds = read.cpu_seconds;
        at->second.open_files = read.open_files;
      } else {
        snapshot_.backends[id].memory_bytes = read.memory_bytes;
        snapshot_.backends[id].cpu_seconds = read.cpu_seconds;
      }
    }
    const ProcessFigures self = self_->read(::getpid());
    snapshot_.agent_memory_bytes = self.memory_bytes;
    snapshot_.agent_cpu_seconds = self.cpu_seconds;
    snapshot_.host = host_->read();
    co_await view_.timers.wait_for(kProcessEvery);
  }
}

std::set<uint16_t> Collector::ports() const {
  std::set<uint16_t> all;
  for (const coord::ClusterSpec& cluster : view_.region.spec().clusters) {
    for (const uint16_t port : {cluster.ports.memcache, cluster.ports.tls, cluster.ports.open}) {
      if (port != 0) all.insert(port);
    }
  }
  return all;
}

// Dumps take at most kSocketShare of a core: what took long is done less often.
boost::asio::awaitable<void> Collector::socket_loop() {
  while (!view_.gate.closed()) {
    const base::Instant began = view_.timers.clock().now();
    auto counted = co_await count_sockets();
    if (!counted.ok()) {
      base::log::warn("sockets_not_counted", {{"error", counted.error().to_string()}});
    }
    const base::Duration took = view_.timers.clock().now() - began;
    const auto pause =
        base::Duration(static_cast<int64_t>(static_cast<double>(took.count()) / kSocketShare));
    co_await view_.timers.wait_for(std::max(base::Duration(kSocketEvery), pause));
  }
}

boost::asio::awaitable<base::Result<>> Collector::count_sockets() {
  struct Member {
    std::string id;
    uint64_t count = 0;
    Clients clients;
  };
  std::unordered_map<Address, Member, AddressHash> members;
  for (const coord::ClusterSpec& cluster : view_.region.spec().clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      members[parse_address(proxy.address)].id = proxy.id;
    }
  }
  std::function<void(const SocketRow&)> count = [&members](const SocketRow& row) {
    const auto at = members.find(row.local);
    if (at == members.end()) return;
    ++at->second.count;
    ++at->second.clients[row.remote];
  };
  auto dumped = co_await sockets_->dump(ports(), kEstablishedOnly, ipv6_, count);
  if (!dumped.ok()) co_return dumped;
  std::vector<Sample> samples;
  for (const auto& [address, member] : members) {
    const coord::Process& process = *view_.region.process(member.id);
    snapshot_.proxies[member.id].kernel_connections = member.count;
    samples.push_back(sample("proxy_connections", process, static_cast<double>(member.count)));
    for (const auto& [client, connections] : top(member.clients, kTopClients)) {
      Sample each = sample("client_connections", process, static_cast<double>(connections));
      each.key.client = to_string(client);
      samples.push_back(std::move(each));
    }
  }
  sink_(samples);
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<std::vector<ConnectionRow>>> Collector::connections(
    By by, uint16_t port) {
  std::set<uint16_t> wanted = ports();
  for (const coord::ClusterSpec& cluster : view_.region.spec().clusters) {
    wanted.insert(cluster.ports.backend);
  }
  if (port != 0) wanted = {port};
  std::map<std::string, uint64_t> counts;
  Clients clients;
  std::function<void(const SocketRow&)> count = [&](const SocketRow& row) {
    if (by == By::kClient) {
      ++clients[row.remote];
    } else if (by == By::kState) {
      ++counts[std::string(tcp_state_name(row.state))];
    } else {
      ++counts[to_string(row.local) + ":" + std::to_string(row.local_port)];
    }
  };
  auto dumped = co_await sockets_->dump(std::move(wanted), kAllStates, ipv6_, count);
  if (!dumped.ok()) co_return dumped.error();
  std::vector<ConnectionRow> rows;
  for (const auto& [address, connections] : top(clients, kMaxRows)) {
    rows.push_back({to_string(address), connections});
  }
  for (const auto& [name, connections] : counts) rows.push_back({name, connections});
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  if (rows.size() > kMaxRows) rows.resize(kMaxRows);
  co_return rows;
}

std::string Collector::snapshot_json() const {
  boost::json::object proxies;
  boost::json::object backends;
  for (const auto& [id, figures] : snapshot_.proxies) proxies[id] = to_json(figures);
  for (const auto& [id, figures] : snapshot_.backends) backends[id] = to_json(figures);
  boost::json::object all;
  all["proxies"] = std::move(proxies);
  all["backends"] = std::move(backends);
  all["host"] = to_json(snapshot_.host);
  return boost::json::serialize(all);
}

}  // namespace agent::collect
