#include "agent/coord/region.h"

#include "base/core/check.h"
#include "base/telemetry/segment.h"

namespace agent::coord {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kProxy:
      return "proxy";
    case Kind::kBackend:
      return "backend";
    case Kind::kForwarder:
      return "forwarder";
  }
  CHECK(false);
  return {};
}

std::string_view to_string(ProcessState state) {
  switch (state) {
    case ProcessState::kStarting:
      return "starting";
    case ProcessState::kUp:
      return "up";
    case ProcessState::kStuck:
      return "stuck";
    case ProcessState::kDead:
      return "dead";
    case ProcessState::kDraining:
      return "draining";
    case ProcessState::kEjected:
      return "ejected";
  }
  CHECK(false);
  return {};
}

std::string RegionSpec::run_path(std::string_view id, std::string_view suffix) const {
  return dir + "/run/" + std::string(id) + std::string(suffix);
}
std::string RegionSpec::log_path(std::string_view id) const {
  return dir + "/log/" + std::string(id) + ".log";
}
std::string RegionSpec::state_dir(std::string_view id) const {
  return dir + "/state/" + std::string(id);
}
std::string RegionSpec::agent_socket() const {
  return run_path("agent", ".sock");
}
std::string RegionSpec::forwarder_socket() const {
  return run_path(kForwarderId, ".sock");
}

std::string RegionSpec::echo_address() const {
  return echo.listen.empty() && gameday ? "127.0.0.1" : echo.listen;
}

std::string RegionSpec::telemetry_path(std::string_view proxy) const {
  return base::telemetry::segment_directory(dir) + "/" + std::string(proxy) + ".seg";
}

std::vector<base::TableBackend> table_backends(const ClusterSpec& cluster) {
  std::vector<base::TableBackend> backends;
  for (const BackendSpec& backend : cluster.backends) {
    backends.push_back({backend.id, backend.weight});
  }
  return backends;
}

Region::Region(RegionSpec spec) : spec_(std::move(spec)) {
  const auto add = [this](Kind kind, const std::string& id, const std::string& cluster) {
    Process process;
    process.kind = kind;
    process.id = id;
    process.cluster = cluster;
    CHECK(processes_.emplace(id, std::move(process)).second);
  };
  for (const ClusterSpec& cluster : spec_.clusters) {
    for (const ProxySpec& proxy : cluster.proxies) add(Kind::kProxy, proxy.id, cluster.name);
    for (const BackendSpec& backend : cluster.backends) {
      add(Kind::kBackend, backend.id, cluster.name);
    }
  }
  if (spec_.gameday) add(Kind::kForwarder, std::string(kForwarderId), "");
}

const ClusterSpec* Region::cluster(std::string_view name) const {
  for (const ClusterSpec& cluster : spec_.clusters) {
    if (cluster.name == name) return &cluster;
  }
  return nullptr;
}

const ProxySpec* Region::proxy(std::string_view id) const {
  for (const ClusterSpec& cluster : spec_.clusters) {
    for (const ProxySpec& proxy : cluster.proxies) {
      if (proxy.id == id) return &proxy;
    }
  }
  return nullptr;
}

const BackendSpec* Region::backend(std::string_view id) const {
  for (const ClusterSpec& cluster : spec_.clusters) {
    for (const BackendSpec& backend : cluster.backends) {
      if (backend.id == id) return &backend;
    }
  }
  return nullptr;
}

const ClusterSpec* Region::cluster_of(std::string_view id) const {
  const Process* found = process(id);
  return found == nullptr ? nullptr : cluster(found->cluster);
}

const Process* Region::process(std::string_view id) const {
  const auto at = processes_.find(id);
  return at == processes_.end() ? nullptr : &at->second;
}

size_t Region::proxy_index(std::string_view id) const {
  const ClusterSpec* cluster = cluster_of(id);
  CHECK(cluster != nullptr);
  size_t index = 0;
  while (index < cluster->proxies.size() && cluster->proxies[index].id != id) ++index;
  CHECK(index < cluster->proxies.size());
  return index;
}

std::vector<const Process*> Region::processes() const {
  std::vector<const Process*> all;
  for (const ClusterSpec& cluster : spec_.clusters) {
    for (const BackendSpec& backend : cluster.backends) all.push_back(process(backend.id));
  }
  if (spec_.gameday) all.push_back(process(kForwarderId));
  for (const ClusterSpec& cluster : spec_.clusters) {
    for (const ProxySpec& proxy : cluster.proxies) all.push_back(process(proxy.id));
  }
  return all;
}

uint16_t Region::link_port(const ClusterSpec& cluster, std::string_view proxy) const {
  if (!spec_.gameday) return cluster.ports.backend;
  return static_cast<uint16_t>(cluster.ports.links + proxy_index(proxy));
}

Process& Region::mutable_process(std::string_view id) {
  const auto at = processes_.find(id);
  CHECK(at != processes_.end());
  ++changes_;
  return at->second;
}

void Region::started(std::string_view id, pid_t pid, std::string token, base::WallTime at) {
  Process& process = mutable_process(id);
  process.pid = pid;
  process.token = std::move(token);
  process.since = at;
  // Backends and the forwarder need nothing before they serve; a proxy has to be configured.
  process.state = process.kind == Kind::kProxy ? ProcessState::kStarting : ProcessState::kUp;
}

void Region::ended(std::string_view id, std::string how, base::WallTime at) {
  Process& process = mutable_process(id);
  process.pid = 0;
  process.token.clear();
  process.since = at;
  process.last_exit = std::move(how);
  process.state = ProcessState::kDead;
}

void Region::set_state(std::string_view id, ProcessState state) {
  if (process(id)->state != state) mutable_process(id).state = state;
}

}  // namespace agent::coord
