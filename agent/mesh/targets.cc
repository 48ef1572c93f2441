#include "agent/mesh/targets.h"

namespace agent::mesh {

std::string EchoTarget::name() const {
  return proxy.empty() ? address + ":" + std::to_string(port) : proxy + "/" + backend;
}

std::vector<EchoTarget> echo_targets(const coord::Region& region) {
  const coord::RegionSpec& spec = region.spec();
  std::vector<EchoTarget> targets;
  for (const coord::EchoPeer& peer : spec.echo.peers) {
    targets.push_back({"", "", "", peer.address, peer.port});
  }
  if (!spec.gameday) return targets;
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      for (const coord::BackendSpec& backend : cluster.backends) {
        targets.push_back({cluster.name, proxy.id, backend.id, backend.address,
                           region.link_port(cluster, proxy.id)});
      }
    }
  }
  return targets;
}

std::vector<std::string> echo_askers(const coord::RegionSpec& spec) {
  std::vector<std::string> askers;
  for (const coord::EchoPeer& peer : spec.echo.peers) askers.push_back(peer.address);
  if (!spec.gameday) return askers;
  // The forwarder, from whichever address the kernel gives it.
  askers.push_back("127.0.0.1");
  askers.push_back(spec.echo_address());
  return askers;
}

}  // namespace agent::mesh
