#include "cli/region/ports.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/net/fd.h"
#include "base/net/socket_address.h"

namespace cli {
namespace {

using base::Error;
using base::ErrorCode;

// 0 or errno.
int try_bind(const PortUse& use) {
  const auto address = base::net::make_socket_address(use.address, use.port);
  if (!address) return EINVAL;
  const base::net::UniqueFd fd(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  const int on = 1;  // as the servers do: a connection that is only winding down is no obstacle
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return ::bind(fd.get(), address->get(), address->size()) == 0 ? 0 : errno;
}

}  // namespace

std::vector<PortUse> ports_of(const Definition& definition) {
  std::vector<PortUse> uses = {
      {"127.0.0.1", definition.ports.operator_api, "the operator API"},
      {"127.0.0.1", definition.ports.status, "the status page"},
  };
  for (const Cluster& cluster : definition.clusters) {
    for (const Member& proxy : cluster.proxies) {
      uses.push_back({proxy.address, cluster.ports.memcache, "proxy " + proxy.id});
      uses.push_back({proxy.address, cluster.ports.metrics, "the metrics of proxy " + proxy.id});
      if (cluster.ports.tls != 0) {
        uses.push_back({proxy.address, cluster.ports.tls, "the TLS listener of proxy " + proxy.id});
      }
      if (cluster.ports.open == 0) continue;
      uses.push_back({proxy.address, cluster.ports.open, "the open listener of proxy " + proxy.id});
    }
    for (const Member& backend : cluster.backends) {
      if (!backend.address.empty() && backend.address.front() == '/') continue;  // a Unix socket
      uses.push_back({backend.address, cluster.ports.backend, "backend " + backend.id});
      if (!definition.gameday) continue;
      for (size_t p = 0; p < cluster.proxies.size(); ++p) {
        uses.push_back({backend.address, static_cast<uint16_t>(cluster.ports.links + p),
                        "the link from " + cluster.proxies[p].id + " to " + backend.id});
      }
    }
  }
  return uses;
}

base::Result<> check_ports(const std::vector<PortUse>& uses) {
  for (const PortUse& use : uses) {
    const int failure = try_bind(use);
    if (failure == 0) continue;
    const std::string port = "port " + std::to_string(use.port) + " on " + use.address;
    if (failure == EADDRINUSE) {
      return Error(ErrorCode::kExists,
                   port + ", wanted for " + use.what +
                       ", is in use: stop what listens there, or move every port of this region "
                       "with --port-base N on its first start (or in agent.yaml)");
    }
    if (failure == EACCES) {
      return Error(ErrorCode::kPermission,
                   "may not listen on " + port + " for " + use.what +
                       ": ports below 1024 need privileges; choose others with --port-base N");
    }
    return Error(ErrorCode::kUnavailable, "cannot listen on " + port + " for " + use.what + ": " +
                                              strerror(failure) +
                                              "; correct the address in agent.yaml");
  }
  return {};
}

}  // namespace cli
