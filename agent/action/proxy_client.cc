#include "agent/action/proxy_client.h"

#include "base/net/rpc.h"

namespace agent::action {

boost::asio::awaitable<base::Result<boost::json::value>> ProxyClient::call(coord::ProxyCall call) {
  base::net::RpcRequest request;
  request.verb = std::move(call.verb);
  request.fence = call.fence;
  request.args = std::move(call.args);
  co_return co_await base::net::rpc_call(region_.spec().run_path(call.proxy, ".sock"),
                                         std::move(request), call.timeout, timers_);
}

}  // namespace agent::action
