#include "agent/collect/collector.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <optional>
#include <utility>

#include "agent/action/own_certificate.h"
#include "agent/collect/backend_probes.h"
#include "agent/collect/process_reader.h"
#include "agent/collect/proxy_telemetry.h"
#include "base/core/check.h"
#include "base/telemetry/log.h"

namespace agent::collect {
namespace {

using coord::Kind;
using series::Sample;

constexpr base::Duration kMeasureEvery = std::chrono::seconds(1);
// Soon after the start: without figures no guard lets a run go on that the last agent left behind.
constexpr base::Duration kFirstMeasure = std::chrono::milliseconds(100);
constexpr base::Duration kProbeTimeout = std::chrono::seconds(1);
constexpr base::Duration kBurdenEvery = std::chrono::seconds(1);
constexpr base::Duration kConnectionsEvery = std::chrono::seconds(1);
constexpr base::Duration kStatsTimeout = std::chrono::seconds(1);
constexpr base::Duration kBackendsEvery =
    std::chrono::seconds(5);  // their memory and CPU: to look at
constexpr base::Duration kCertificatesEvery = std::chrono::minutes(1);
constexpr size_t kTopClients = 10;

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

boost::json::object to_json(const ConnectionFigures& f) {
  boost::json::object o;
  o["source"] = f.source;
  o["why"] = f.why;
  o["known"] = f.known;
  o["exact"] = f.exact;
  o["missed_events"] = f.missed_events;
  o["processor_seconds"] = f.processor_seconds;
  return o;
}

}  // namespace

std::vector<conns::WatchedPort> watched_ports(const coord::RegionSpec& spec) {
  std::map<uint16_t, conns::WatchedPort> ports;
  const auto watch = [&ports](uint16_t port, const std::string& address) {
    const auto parsed = conns::parse_address(address);
    if (port == 0 || !parsed) return;
    ports[port].port = port;
    ports[port].addresses.push_back(*parsed);
  };
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      for (const uint16_t port : {cluster.ports.memcache, cluster.ports.tls, cluster.ports.open}) {
        watch(port, proxy.address);
      }
    }
    for (const coord::BackendSpec& backend : cluster.backends) {
      watch(cluster.ports.backend, backend.address);
    }
  }
  std::vector<conns::WatchedPort> all;
  for (auto& [port, watched] : ports) all.push_back(std::move(watched));
  return all;
}

Collector::Collector(const View& view, Sink sink)
    : view_(view),
      sink_(std::move(sink)),
      host_(std::make_unique<HostReader>()),
      own_(std::make_unique<OwnReader>()),
      brown_out_(view.region.spec().budget) {
  const coord::RegionSpec& spec = view_.region.spec();
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      telemetry_.emplace(proxy.id, std::make_unique<ProxyTelemetry>(spec.telemetry_path(proxy.id),
                                                                    cluster.name, proxy.id));
      processes_.emplace(proxy.id, std::make_unique<ProcessReader>(ProcessReader::Files::kYes));
      ProxyFigures& figures = snapshot_.proxies[proxy.id];
      figures.id = proxy.id;
      figures.cluster = cluster.name;
    }
    for (const coord::BackendSpec& backend : cluster.backends) {
      processes_.emplace(backend.id, std::make_unique<ProcessReader>(ProcessReader::Files::kNo));
      BackendFigures& figures = snapshot_.backends[backend.id];
      figures.id = backend.id;
      figures.cluster = cluster.name;
    }
  }
  probes_ = std::make_unique<BackendProbes>(BackendProbes::Surroundings{
      view_.executor, view_.gate, view_.timers, view_.region, view_.backends, snapshot_.backends,
      [this] { return brown_out_.pace().probe; },
      [this](const std::vector<Sample>& samples) { sink_(samples); }});
}

Collector::~Collector() = default;

void Collector::start() {
  const boost::asio::any_io_executor& executor = view_.executor;
  base::Gate& gate = view_.gate;
  base::spawn(executor, gate, "collect telemetry", telemetry_loop());
  base::spawn(executor, gate, "collect connections", connection_loop());
  base::spawn(executor, gate, "collect processes", process_loop());
  base::spawn(executor, gate, "collect statistics", stats_loop());
  for (const auto& [id, figures] : snapshot_.proxies) {
    base::spawn(executor, gate, "canary", canary_loop(id));
  }
  probes_->start();
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

bool Collector::shows(std::string_view proxy, const coord::ProxyStatus& known) const {
  const auto telemetry = telemetry_.find(proxy);
  return telemetry != telemetry_.end() &&
         telemetry->second->shows(known, view_.timers.clock().now());
}

void Collector::emit_ends(std::vector<Sample>& out) const {
  for (const coord::Process* member : view_.region.processes()) {
    if (member->kind == Kind::kForwarder) continue;
    const char* name = member->kind == Kind::kProxy ? "proxy_exited" : "backend_exited";
    out.push_back(sample(name, *member, member->pid == 0 ? 1 : 0));
  }
}

boost::asio::awaitable<void> Collector::telemetry_loop() {
  base::Instant next = view_.timers.clock().now();
  base::Instant next_measure = next + kFirstMeasure;
  std::vector<Sample> samples;
  while (!view_.gate.closed()) {
    const base::Instant now = view_.timers.clock().now();
    late_ += now - next;
    ++wake_ups_;
    samples.clear();
    for (const auto& [id, telemetry] : telemetry_) {
      telemetry->read(view_.region.process(id)->pid, now, samples);
    }
    if (now >= next_measure) {
      next_measure = base::next_beat(now + kMeasureEvery / 2, kMeasureEvery);
      measure(now, samples);
      emit_ends(samples);
    }
    if (!samples.empty()) sink_(samples);
    // A round that came late does not make the following ones hurry.
    const base::Duration every = brown_out_.pace().telemetry;
    next = base::next_beat(now + every / 2, every);
    co_await view_.timers.wait_until(next);
  }
}

// What can run out, as value in use and weight there is.
void Collector::tell_room(std::vector<Sample>& out) const {
  const auto tell = [&](Sample each, uint64_t limit) {
    each.weight = static_cast<double>(limit);
    if (limit > 0 && each.value > 0) out.push_back(std::move(each));
  };
  for (const auto& [id, figures] : snapshot_.proxies) {
    const coord::Process& process = *view_.region.process(id);
    if (process.pid == 0) continue;
    tell(sample("proxy_descriptors", process, static_cast<double>(figures.open_files)),
         figures.open_files_limit);
    tell(sample("proxy_connection_slots", process, static_cast<double>(figures.connections)),
         kProxyConnectionLimit);
  }
  // What caches may still take is as good as taken; but by itself no emergency.
  uint64_t promised = 0;
  for (const auto& [id, figures] : snapshot_.backends) {
    if (figures.limit_bytes > figures.bytes) promised += figures.limit_bytes - figures.bytes;
  }
  const HostFigures& host = snapshot_.host;
  const auto total = static_cast<double>(host.memory_total_bytes);
  const auto used = total - static_cast<double>(host.memory_available_bytes);
  Sample memory;
  memory.key.name = "host_memory_bytes";
  memory.at = view_.timers.clock().now();
  memory.value = std::max(used, std::min(used + static_cast<double>(promised), 0.9 * total));
  tell(std::move(memory), host.memory_total_bytes);
}

// The certificate that the region's proxies were given. One that cannot be read is no sample.
void Collector::tell_certificates(std::vector<Sample>& out) const {
  const coord::RegionSpec& spec = view_.region.spec();
  std::optional<int64_t> end;
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    if (cluster.ports.tls == 0) continue;
    if (!end) end = action::certificate_end(action::certificate_path(spec));
    if (!end) return;
    Sample left;
    left.key.name = "certificate_seconds";
    left.key.cluster = cluster.name;
    left.at = view_.timers.clock().now();
    const double wall = static_cast<double>(view_.timers.clock().wall().ns) / 1e9;
    left.value = static_cast<double>(*end) - wall;
    out.push_back(std::move(left));
  }
}

void Collector::measure(base::Instant now, std::vector<Sample>& out) {
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  for (const auto& [id, telemetry] : telemetry_) {
    telemetry->measure(now, snapshot_.proxies[id], shares, out,
                       std::exchange(canary_requests_[id], 0));
  }
  for (auto& [id, figures] : snapshot_.backends) {
    const auto at = shares.find(id);
    if (at == shares.end() || at->second.seconds <= 0) continue;
    figures.requests_per_second = static_cast<double>(at->second.requests) / at->second.seconds;
    figures.failures_per_second = static_cast<double>(at->second.failures) / at->second.seconds;
    const LatencyFigures latency = latency_figures(at->second.latencies);
    figures.p99_seconds = latency.p99_seconds;
    const auto tell = [&](const char* name, double value, uint64_t weight) {
      Sample each = sample(name, *view_.region.process(id), value);
      each.weight = static_cast<double>(weight);
      if (weight > 0) out.push_back(std::move(each));
    };
    tell("backend_failures", static_cast<double>(at->second.failures), at->second.requests);
    tell("backend_p99_seconds", latency.p99_seconds, latency.count);
  }
}

boost::asio::awaitable<void> Collector::canary_loop(std::string proxy) {
  base::Instant due = view_.timers.clock().now();
  while (!view_.gate.closed()) {
    const coord::Process& process = *view_.region.process(proxy);
    if (process.pid != 0 && process.state != coord::ProcessState::kStarting) {
      std::function<void()> doubted = [this, &proxy] { probes_->doubt(proxy, true); };
      const action::CanaryLook look =
          co_await view_.canary.look(proxy, kProbeTimeout, std::move(doubted));
      probes_->doubt(proxy, !look.together);
      std::vector<Sample> samples;
      bool all = !look.answers.empty();
      bool told = false;
      for (const action::CanaryAnswer& answer : look.answers) {
        Sample each = sample("canary_ok", process, answer.ok ? 1 : 0);
        each.key.backend = answer.backend;
        samples.push_back(each);
        all = all && answer.ok;
        canary_requests_[proxy] += answer.requests;
        if (look.together) probes_->vouched(answer.backend);
        if (!answer.ok || (look.together && std::exchange(told, true))) continue;
        if (look.together) each.key.backend.clear();
        each.key.name = "canary_seconds";
        each.value = base::to_seconds(answer.took);
        samples.push_back(std::move(each));
      }
      snapshot_.proxies[proxy].canary_ok = all;
      if (!samples.empty()) sink_(samples);
    } else {
      snapshot_.proxies[proxy].canary_ok = false;
      probes_->doubt(proxy, false);
    }
    due = probes_->next(due);
    co_await view_.timers.wait_until(due);
  }
}

boost::asio::awaitable<void> Collector::stats_loop() {
  while (!view_.gate.closed()) {
    std::vector<std::string> ids;
    for (const auto& [id, figures] : snapshot_.backends) {
      if (view_.region.process(id)->pid != 0) ids.push_back(id);
    }
    const auto all = co_await view_.backends.stats_all(ids, kStatsTimeout);
    std::vector<Sample> news;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (!all[i]) continue;
      BackendFigures& figures = snapshot_.backends[ids[i]];
      figures.items = all[i]->items;
      figures.bytes = all[i]->bytes;
      figures.limit_bytes = all[i]->limit_bytes;
      Sample slots = sample("backend_connection_slots", *view_.region.process(ids[i]),
                            static_cast<double>(all[i]->connections));
      slots.weight = static_cast<double>(all[i]->connection_limit);
      news.push_back(std::move(slots));
    }
    if (!news.empty()) sink_(news);
    co_await view_.timers.wait_for(brown_out_.pace().stats);
  }
}

void Collector::read_members(base::Instant now) {
  const bool with_backends = now >= next_backends_;
  if (with_backends) next_backends_ = now + kBackendsEvery;
  for (const auto& [id, reader] : processes_) {
    if (!with_backends && snapshot_.backends.contains(id)) continue;
    const ProcessFigures read = reader->read(view_.region.process(id)->pid);
    if (const auto at = snapshot_.proxies.find(id); at != snapshot_.proxies.end()) {
      at->second.memory_bytes = read.memory_bytes;
      at->second.cpu_seconds = read.cpu_seconds;
      at->second.open_files = read.open_files;
      at->second.open_files_limit = read.open_files_limit;
    } else {
      snapshot_.backends[id].memory_bytes = read.memory_bytes;
      snapshot_.backends[id].cpu_seconds = read.cpu_seconds;
    }
  }
}

// What the agent takes of its host, and whether it has to do with less from now on.
void Collector::judge_burden(base::Instant now) {
  Burden burden = own_->read(now);
  burden.host_cpu_share = snapshot_.host.cpu_busy_share;
  // Not woken at all within the second is no sign of being woken in time.
  if (wake_ups_ > 0) mean_late_ = late_ / wake_ups_;
  burden.late = mean_late_;
  late_ = base::Duration(0);
  wake_ups_ = 0;
  AgentFigures& figures = snapshot_.agent;
  figures.memory_bytes = burden.memory_bytes;
  figures.cpu_seconds = own_->cpu_seconds();
  figures.cpu_share = burden.cpu_share;
  figures.disk_bytes_per_second = burden.disk_bytes_per_second;
  figures.late_seconds = base::to_seconds(burden.late);
  if (!brown_out_.observe(now, burden)) return;
  figures.brown_out = to_string(brown_out_.level());
  figures.brown_out_why = brown_out_.why();
  ++figures.brown_out_changes;
  base::log::warn("brown_out", {{"step", figures.brown_out}, {"why", figures.brown_out_why}});
}

boost::asio::awaitable<void> Collector::process_loop() {
  base::Instant next_members = view_.timers.clock().now();
  base::Instant next_certificates = next_members;
  while (!view_.gate.closed()) {
    const base::Instant now = view_.timers.clock().now();
    if (now >= next_members) {
      next_members = now + brown_out_.pace().processes;
      read_members(now);
    }
    snapshot_.host = host_->read(now);
    judge_burden(now);
    std::vector<Sample> samples;
    tell_room(samples);
    if (now >= next_certificates) {
      next_certificates = now + kCertificatesEvery;
      tell_certificates(samples);
    }
    if (!samples.empty()) sink_(samples);
    co_await view_.timers.wait_for_beat(kBurdenEvery);
  }
}

boost::asio::awaitable<void> Collector::connection_loop() {
  while (!view_.gate.closed()) {
    count_connections();
    co_await view_.timers.wait_for_beat(kConnectionsEvery);
  }
}

// Reading costs the same for any number of connections. What is not known is no sample: without the
// kernel's counts the proxies' own (telemetry) are shown for them.
void Collector::count_connections() {
  const conns::Counts counts = view_.connections.counts();
  snapshot_.connections.source = conns::to_string(counts.source);
  snapshot_.connections.why = counts.why;
  snapshot_.connections.known = counts.known;
  snapshot_.connections.exact = counts.exact;
  snapshot_.connections.missed_events = counts.missed_events;
  snapshot_.connections.processor_seconds = counts.processor_seconds;
  std::map<std::string, conns::ListenerCounts> sums;  // by member's address
  for (const conns::ListenerCounts& listener : counts.listeners) {
    if (listener.others) continue;
    conns::ListenerCounts& sum = sums[conns::to_string(listener.address)];
    for (size_t i = 0; i < conns::kStates; ++i) sum.states[i] += listener.states[i];
    sum.opened += listener.opened;
    sum.closed += listener.closed;
    sum.aborted += listener.aborted;
    sum.failed += listener.failed;
    sum.retransmits += listener.retransmits;
    sum.queue += listener.queue;
    sum.queue_drops += listener.queue_drops;
  }
  std::vector<Sample> samples;
  std::map<std::string, std::string> proxies;  // by address
  for (const coord::ClusterSpec& cluster : view_.region.spec().clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      proxies[proxy.address] = proxy.id;
      const coord::Process& process = *view_.region.process(proxy.id);
      ProxyFigures& figures = snapshot_.proxies[proxy.id];
      figures.kernel = sums[proxy.address];
      const uint64_t connections =
          counts.known ? figures.kernel.states[conns::kEstablished] : figures.connections;
      figures.kernel_connections = connections;
      const bool by_proxy = counts.source == conns::SourceKind::kNone && figures.measured;
      if (!counts.known && !by_proxy) continue;
      samples.push_back(sample("proxy_connections", process, static_cast<double>(connections)));
    }
  }
  if (brown_out_.pace().clients) tell_clients(counts, proxies, samples);
  if (!samples.empty()) sink_(samples);
}

// `proxies`: by address.
void Collector::tell_clients(const conns::Counts& counts,
                             const std::map<std::string, std::string>& proxies,
                             std::vector<Sample>& out) const {
  std::map<std::pair<std::string, conns::Address>, uint64_t> clients;  // of a proxy
  for (const conns::ClientCount& client : view_.connections.top_clients(kTopClients)) {
    // The source may have begun to count between the two questions.
    if (client.listener >= counts.listeners.size()) continue;
    const conns::ListenerCounts& listener = counts.listeners[client.listener];
    const auto proxy = proxies.find(listener.others ? "" : conns::to_string(listener.address));
    if (proxy != proxies.end()) clients[{proxy->second, client.client}] += client.connections;
  }
  for (const auto& [key, connections] : clients) {
    Sample each = sample("client_connections", *view_.region.process(key.first),
                         static_cast<double>(connections));
    each.key.client = conns::to_string(key.second);
    out.push_back(std::move(each));
  }
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
  all["connections"] = to_json(snapshot_.connections);
  return boost::json::serialize(all);
}

}  // namespace agent::collect
