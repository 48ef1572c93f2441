// Tells the fault forwarder of a game-day region which links it stands on: one from every proxy to every
// backend of its cluster.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include "agent/coord/region.h"
#include "base/core/result.h"
#include "base/time/timers.h"

namespace agent::action {

// {"links":[{id, cluster, proxy, backend, listen:{address,port}, target:{address,port},
//   echo:{address,port}}]}: where UDP datagrams to `listen` are carried, this agent's responder
boost::json::object forwarder_links(const coord::Region& region);

// kUnavailable: it does not listen yet. Saying it twice changes nothing.
boost::asio::awaitable<base::Result<>> set_forwarder_links(const coord::Region& region,
                                                           base::Timers& timers);

}  // namespace agent::action
