#include "agent/app/facts.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <limits>
#include <thread>

#include "base/core/text.h"

namespace agent::app {
namespace {

namespace json = boost::json;
using coord::ProcessState;
using runbook::ParamType;

// A proxy's capacity for the load guard: what one worker thread carried in the benchmarks, halved,
// and the limit of its connections. The share in use is the worse of the two.
constexpr double kRequestsPerWorker = 50'000;
constexpr double kConnectionsPerProxy = collect::kProxyConnectionLimit;

// 0 workers: the proxy starts one for each core of this machine, as the agent counts them.
double capacity(const coord::ProxySpec& proxy) {
  constexpr unsigned kMost = 64;
  const unsigned cores = std::clamp(std::thread::hardware_concurrency(), 1u, kMost);
  return kRequestsPerWorker * (proxy.workers == 0 ? cores : proxy.workers);
}

base::Error nobody(std::string_view what, std::string_view id) {
  return base::Error(base::ErrorCode::kNotFound, "no " + std::string(what) + " '" +
                                                     std::string(id) + "'; see `mcguard status`");
}

bool is_symptom_of(ParamType kind, incident::Type type) {
  switch (type) {
    case incident::Type::kProxyDead:
    case incident::Type::kProxyStuck:
      return kind == ParamType::kProxy;
    case incident::Type::kBackendDead:
    case incident::Type::kBackendStuck:
      return kind == ParamType::kBackend;
    default:
      return false;
  }
}

}  // namespace

ProcessState RegionFacts::state(const coord::Process& process) const {
  return admin::shown_state(region_, journal_, snapshot_, process);
}

runbook::Target RegionFacts::member(ParamType kind, const coord::Process& process,
                                    const std::string& address, uint16_t port) const {
  runbook::Target target;
  target.kind = kind;
  target.id = process.id;
  target.cluster = process.cluster;
  const ProcessState now = state(process);
  target.fields =
      json::object{{"address", address}, {"port", port}, {"state", coord::to_string(now)}};
  target.serving = now == ProcessState::kUp;
  target.proven_dead = process.pid == 0;
  return target;
}

base::Result<runbook::Target> RegionFacts::target(ParamType kind, std::string_view id) const {
  switch (kind) {
    case ParamType::kProxy: {
      const coord::ProxySpec* spec = region_.proxy(id);
      if (spec == nullptr) return nobody("proxy", id);
      return member(kind, *region_.process(id), spec->address,
                    region_.cluster_of(id)->ports.memcache);
    }
    case ParamType::kBackend: {
      const coord::BackendSpec* spec = region_.backend(id);
      if (spec == nullptr) return nobody("backend", id);
      return member(kind, *region_.process(id), spec->address,
                    region_.cluster_of(id)->port_of(*spec));
    }
    case ParamType::kCluster: {
      const coord::ClusterSpec* spec = region_.cluster(id);
      if (spec == nullptr) return nobody("cluster", id);
      runbook::Target target;
      target.kind = kind;
      target.id = spec->name;
      target.cluster = spec->name;
      json::array proxies, backends, dead;
      for (const coord::ProxySpec& proxy : spec->proxies) {
        proxies.push_back(json::string(proxy.id));
        if (region_.process(proxy.id)->pid == 0) dead.push_back(json::string(proxy.id));
      }
      for (const coord::BackendSpec& backend : spec->backends) {
        backends.push_back(json::string(backend.id));
      }
      target.fields = json::object{{"proxies", std::move(proxies)},
                                   {"backends", std::move(backends)},
                                   {"dead_proxies", std::move(dead)}};
      return target;
    }
    case ParamType::kCache: {
      const auto number = base::parse_u64(id);
      const coord::Cache* cache = number && *number <= coord::kMaxCacheId
                                      ? tenants_.cache(static_cast<base::CacheId>(*number))
                                      : nullptr;
      if (cache == nullptr) return nobody("cache", id);
      runbook::Target target;
      target.kind = kind;
      target.id = std::string(id);
      target.cluster = cache->cluster;
      target.fields = json::object{{"label", cache->label}};
      return target;
    }
    default:
      return base::Error(base::ErrorCode::kInvalid, "not a kind of target");
  }
}

base::Result<runbook::ClusterFacts> RegionFacts::cluster(std::string_view name) const {
  const coord::ClusterSpec* spec = region_.cluster(name);
  if (spec == nullptr) return nobody("cluster", name);
  runbook::ClusterFacts facts;
  double load = 0;
  double newest = std::numeric_limits<double>::infinity();
  for (const coord::ProxySpec& proxy : spec->proxies) {
    ++facts.proxies;
    const coord::Process& process = *region_.process(proxy.id);
    if (process.pid == 0) {
      newest = 0;  // its end is known the moment it comes: nothing newer can be known of it
      continue;
    }
    const auto figures = snapshot_.proxies.find(proxy.id);
    if (figures == snapshot_.proxies.end() || !figures->second.measured) continue;
    newest = std::min(newest, figures->second.telemetry_age_seconds);
    if (state(process) != ProcessState::kUp) continue;
    ++facts.proxies_healthy;
    load += std::max(static_cast<double>(figures->second.connections) / kConnectionsPerProxy,
                     figures->second.requests_per_second / capacity(proxy));
  }
  for (const coord::BackendSpec& backend : spec->backends) {
    ++facts.backends;
    if (state(*region_.process(backend.id)) == ProcessState::kUp) ++facts.backends_healthy;
  }
  if (facts.proxies_healthy > 0) facts.load = load / facts.proxies_healthy;
  constexpr double kLongest = 86'400;
  facts.telemetry_age =
      base::Duration(static_cast<int64_t>(std::min(newest, kLongest) * 1'000'000'000.0));
  return facts;
}

std::vector<runbook::Symptom> RegionFacts::symptoms(ParamType kind, base::Instant since) const {
  const base::WallTime from{clock_.wall().ns - (clock_.now() - since).count()};
  constexpr size_t kRemembered = 200;
  std::vector<runbook::Symptom> found;
  const auto add = [&](const incident::Incident& incident) {
    if (!is_symptom_of(kind, incident.type)) return;
    // What follows its trouble (verifying, a quiet while) is no symptom any more.
    if (!book_.is_present(incident.id) && incident.last_present < from) return;
    const std::string& id =
        kind == ParamType::kProxy ? incident.scope.proxy : incident.scope.backend;
    if (id.empty()) return;
    const bool known = std::any_of(found.begin(), found.end(),
                                   [&](const auto& symptom) { return symptom.target == id; });
    if (!known) found.push_back({incident.scope.cluster, id});
  };
  for (const incident::Incident* incident : book_.unresolved()) add(*incident);
  for (const incident::Incident* incident : book_.resolved(kRemembered)) add(*incident);
  return found;
}

}  // namespace agent::app
