// ProxyClient: the control sockets of the region's proxies.
#pragma once

#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "base/time/timers.h"

namespace agent::action {

// Thread: the control thread's. Owner: app.
class ProxyClient final : public coord::ProxyControl {
 public:
  ProxyClient(const coord::Region& region, base::Timers& timers)
      : region_(region), timers_(timers) {}
  boost::asio::awaitable<base::Result<boost::json::value>> call(coord::ProxyCall call) override;

 private:
  const coord::Region& region_;
  base::Timers& timers_;
};

}  // namespace agent::action
