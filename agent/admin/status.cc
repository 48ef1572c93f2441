#include "agent/admin/status.h"

#include <map>
#include <optional>
#include <string_view>

#include "agent/incident/json.h"
#include "version.h"

namespace agent::admin {
namespace {

namespace json = boost::json;
using coord::ProcessState;

constexpr size_t kShownResolved = 20;

ProcessState state_of(const StatusParts& parts, const coord::Process& process) {
  return shown_state(parts.region, parts.journal, parts.snapshot, process);
}

// A cluster serves fully, in part, or not at all.
std::string_view cluster_state(const StatusParts& parts, const coord::ClusterSpec& cluster) {
  size_t proxies_up = 0;
  bool whole = true;
  for (const coord::ProxySpec& proxy : cluster.proxies) {
    const bool up = state_of(parts, *parts.region.process(proxy.id)) == ProcessState::kUp;
    proxies_up += up ? 1 : 0;
    whole = whole && up;
  }
  for (const coord::BackendSpec& backend : cluster.backends) {
    whole = whole && state_of(parts, *parts.region.process(backend.id)) == ProcessState::kUp;
  }
  for (const incident::Incident* open : parts.book.unresolved()) {
    // An alert from outside without a place says nothing about any cluster.
    const bool everywhere = open->scope.cluster.empty() && open->alert.empty();
    const bool ours = open->scope.cluster == cluster.name || everywhere;
    if (ours &&
        (open->state == incident::State::kOpen || open->state == incident::State::kMitigating)) {
      whole = false;
    }
  }
  if (proxies_up == 0) return "down";
  return whole ? "healthy" : "degraded";
}

}  // namespace

std::string host_port(const std::string& address, uint16_t port) {
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

ProcessState shown_state(const coord::Region& region, const coord::TableJournal& journal,
                         const collect::Snapshot& snapshot, const coord::Process& process) {
  if (process.kind != coord::Kind::kBackend || process.pid == 0) return process.state;
  const coord::ClusterTables& tables = journal.at(process.cluster);
  const coord::BackendSpec* spec = region.backend(process.id);
  if (tables.committed.epoch != 0 && spec->weight > 0 && tables.weight_of(process.id) == 0) {
    return ProcessState::kEjected;
  }
  const auto figures = snapshot.backends.find(process.id);
  if (figures == snapshot.backends.end()) return process.state;
  if (figures->second.probe_ok) return ProcessState::kUp;
  return process.state == ProcessState::kUp ? ProcessState::kStuck : process.state;
}

json::array build_proxies(const StatusParts& parts, const coord::ClusterSpec& cluster) {
  json::array proxies;
  for (const coord::ProxySpec& spec : cluster.proxies) {
    const coord::Process& process = *parts.region.process(spec.id);
    const auto found = parts.snapshot.proxies.find(spec.id);
    // What a process that has ended left behind in its telemetry is no figure of now.
    const bool known = process.pid != 0 && found != parts.snapshot.proxies.end();
    const collect::ProxyFigures figures = known ? found->second : collect::ProxyFigures{};
    proxies.push_back(json::object{
        {"id", spec.id},
        {"cluster", cluster.name},
        {"address", spec.address},
        {"port", cluster.ports.memcache},
        {"pid", process.pid},
        {"state", coord::to_string(state_of(parts, process))},
        {"connections", figures.connections},
        {"requests_per_second", figures.requests_per_second},
        {"p50_seconds", figures.p50_seconds},
        {"p99_seconds", figures.p99_seconds},
        {"slow_share", figures.slow_share},
        {"errors_per_second", figures.errors_per_second},
        {"epoch", figures.epoch},
        {"prepared_epoch", figures.prepared_epoch},
        {"memory_bytes", figures.memory_bytes},
        {"open_files", figures.open_files},
        {"last_exit", process.last_exit},
        {"since", process.since.to_rfc3339()},
    });
  }
  return proxies;
}

json::array build_backends(const StatusParts& parts, const coord::ClusterSpec& cluster) {
  json::array backends;
  const coord::ClusterTables& tables = parts.journal.at(cluster.name);
  // `mcguard up` asks several times a second: the table's 16,384 slots are gone through once.
  std::map<std::string_view, uint32_t> slots = tables.slots();
  for (const coord::BackendSpec& spec : cluster.backends) {
    const coord::Process& process = *parts.region.process(spec.id);
    const auto found = parts.snapshot.backends.find(spec.id);
    const collect::BackendFigures figures =
        found == parts.snapshot.backends.end() ? collect::BackendFigures{} : found->second;
    backends.push_back(json::object{
        {"id", spec.id},
        {"cluster", cluster.name},
        {"address", spec.address},
        {"port", cluster.port_of(spec)},
        {"pid", process.pid},
        {"state", coord::to_string(state_of(parts, process))},
        {"weight", tables.weight_of(spec.id)},
        {"slots", slots[spec.id]},
        {"items", figures.items},
        {"bytes", figures.bytes},
        {"limit_bytes", figures.limit_bytes == 0 ? spec.memory : figures.limit_bytes},
        {"requests_per_second", figures.requests_per_second},
        {"p99_seconds", figures.p99_seconds},
        {"failures_per_second", figures.failures_per_second},
        {"last_exit", process.last_exit},
        {"since", process.since.to_rfc3339()},
    });
  }
  return backends;
}

json::object build_status(const StatusParts& parts, const AgentFacts& agent) {
  const coord::RegionSpec& spec = parts.region.spec();
  json::array clusters;
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    const coord::ClusterTables& tables = parts.journal.at(cluster.name);
    json::object shown{
        {"name", cluster.name},
        {"state", cluster_state(parts, cluster)},
        {"epoch", tables.committed.epoch},
        {"prepared_epoch", tables.prepared ? tables.prepared->epoch : 0},
        {"proxies", build_proxies(parts, cluster)},
        {"backends", build_backends(parts, cluster)},
    };
    if (cluster.ports.open != 0 && !cluster.proxies.empty()) {
      shown["open"] = host_port(cluster.proxies.front().address, cluster.ports.open);
    }
    clusters.push_back(std::move(shown));
  }
  json::array incidents;
  for (const incident::Incident* open : parts.book.unresolved()) {
    incidents.push_back(incident::to_json_brief(*open));
  }
  for (const incident::Incident* past : parts.book.resolved(kShownResolved)) {
    incidents.push_back(incident::to_json_brief(*past));
  }
  return json::object{
      {"region", spec.region},
      {"generated_at", agent.now.to_rfc3339()},
      {"gameday", spec.gameday},
      {"agent", json::object{{"pid", agent.pid},
                             {"version", MCGUARD_VERSION},
                             {"uptime_seconds", base::to_seconds(agent.uptime)},
                             {"controller", true},
                             {"cpu_seconds", parts.snapshot.agent.cpu_seconds},
                             {"cpu_share", parts.snapshot.agent.cpu_share},
                             {"memory_bytes", parts.snapshot.agent.memory_bytes},
                             {"disk_bytes_per_second", parts.snapshot.agent.disk_bytes_per_second},
                             {"late_seconds", parts.snapshot.agent.late_seconds},
                             {"brown_out", parts.snapshot.agent.brown_out},
                             {"brown_out_why", parts.snapshot.agent.brown_out_why},
                             {"brown_out_changes", parts.snapshot.agent.brown_out_changes}}},
      {"connections", json::object{{"source", parts.snapshot.connections.source},
                                   {"why", parts.snapshot.connections.why},
                                   {"known", parts.snapshot.connections.known},
                                   {"exact", parts.snapshot.connections.exact}}},
      {"host",
       json::object{{"load_1m", parts.snapshot.host.load_1m},
                    {"cpu_busy_share", parts.snapshot.host.cpu_busy_share},
                    {"memory_total_bytes", parts.snapshot.host.memory_total_bytes},
                    {"memory_available_bytes", parts.snapshot.host.memory_available_bytes}}},
      {"clusters", std::move(clusters)},
      {"incidents", std::move(incidents)},
      {"runs", parts.engine.list({}, kShownResolved)},
      {"pauses", parts.engine.pauses().to_json()},
  };
}

namespace {

// One cache with its credential, for whoever started the region; nullopt: there is none any more.
base::Result<std::optional<json::object>> describe_cache(const coord::Region& region,
                                                         const coord::Tenants& tenants) {
  const coord::Cache* cache = tenants.first_cache();
  const coord::Credential* credential =
      cache == nullptr ? nullptr : tenants.primary_credential(cache->id);
  if (credential == nullptr) return std::optional<json::object>();
  auto password = tenants.reveal(credential->user);
  if (!password) return password.error();
  std::string servers;
  const coord::ClusterSpec* home = region.cluster(cache->cluster);
  if (home == nullptr) return std::optional<json::object>();  // its cluster left the definition
  for (const coord::ProxySpec& proxy : home->proxies) {
    if (!servers.empty()) servers += ",";
    servers += host_port(proxy.address, home->ports.memcache);
  }
  return std::optional<json::object>(json::object{{"id", cache->id},
                                                  {"username", credential->user},
                                                  {"password", password->reveal()},
                                                  {"servers", servers}});
}

}  // namespace

base::Result<json::object> describe_region(const coord::Region& region,
                                           const coord::Tenants& tenants, int64_t agent_pid) {
  const coord::RegionSpec& spec = region.spec();
  const auto member = [&](const std::string& id, const std::string& address, uint16_t port) {
    return json::object{
        {"id", id}, {"address", address}, {"port", port}, {"pid", region.process(id)->pid}};
  };
  json::array clusters;
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    json::array proxies;
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      json::object shown = member(proxy.id, proxy.address, cluster.ports.memcache);
      if (cluster.ports.tls != 0) shown["tls_port"] = cluster.ports.tls;
      proxies.push_back(std::move(shown));
    }
    json::array backends;
    for (const coord::BackendSpec& backend : cluster.backends) {
      backends.push_back(member(backend.id, backend.address, cluster.port_of(backend)));
    }
    json::object shown{
        {"name", cluster.name}, {"proxies", std::move(proxies)}, {"backends", std::move(backends)}};
    if (cluster.ports.open != 0 && !cluster.proxies.empty()) {
      shown["open"] = host_port(cluster.proxies.front().address, cluster.ports.open);
    }
    clusters.push_back(std::move(shown));
  }

  const auto url = [](uint16_t port) { return "http://127.0.0.1:" + std::to_string(port); };
  json::object described{
      {"region", spec.region},
      {"clusters", std::move(clusters)},
      {"urls", json::object{{"operator", url(spec.ports.operator_api)},
                            {"status", url(spec.ports.status)},
                            {"customer", url(spec.ports.customer)},
                            {"metrics", url(spec.ports.operator_api) + "/metrics"}}},
      {"agent", json::object{{"pid", agent_pid}}},
  };
  auto cache = describe_cache(region, tenants);
  if (!cache) return cache.error();
  if (*cache) described["cache"] = **std::move(cache);
  return described;
}

}  // namespace agent::admin
