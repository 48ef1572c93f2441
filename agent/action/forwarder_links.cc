#include "agent/action/forwarder_links.h"

#include <boost/json/array.hpp>

#include "base/net/rpc.h"

namespace agent::action {
namespace {

constexpr base::Duration kTimeout = std::chrono::seconds(2);

boost::json::object place(const std::string& address, uint16_t port) {
  boost::json::object object;
  object["address"] = address;
  object["port"] = port;
  return object;
}

}  // namespace

boost::json::object forwarder_links(const coord::Region& region) {
  boost::json::array links;
  for (const coord::ClusterSpec& cluster : region.spec().clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      for (const coord::BackendSpec& backend : cluster.backends) {
        boost::json::object link;
        link["id"] = proxy.id + "/" + backend.id;
        link["cluster"] = cluster.name;
        link["proxy"] = proxy.id;
        link["backend"] = backend.id;
        link["listen"] = place(backend.address, region.link_port(cluster, proxy.id));
        link["target"] = place(backend.address, cluster.ports.backend);
        link["echo"] = place(region.spec().echo_address(), region.spec().ports.agents);
        links.push_back(std::move(link));
      }
    }
  }
  boost::json::object args;
  args["links"] = std::move(links);
  return args;
}

boost::asio::awaitable<base::Result<>> set_forwarder_links(const coord::Region& region,
                                                           base::Timers& timers) {
  base::net::RpcRequest request;
  request.verb = "links.set";
  request.args = forwarder_links(region);
  auto answer = co_await base::net::rpc_call(region.spec().forwarder_socket(), std::move(request),
                                             kTimeout, timers);
  if (!answer.ok()) co_return answer.error();
  co_return base::Done{};
}

}  // namespace agent::action
