// What the web pages and the CLI can ask of the agent: one call, a verb with JSON arguments.
// web/ maps HTTP requests to it (docs/api.md); agent/admin implements it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "base/core/result.h"

namespace agent::web {

// Requests per second of a proxy, over the last ten seconds.
struct ProxyRate {
  std::string cluster, proxy;
  double requests_per_second = 0;
};

// Thread: the control thread's. Owner: app. At most a handful of calls at a time.
class OperatorApi {
 public:
  virtual ~OperatorApi() = default;
  // Reads: status, incidents.list, incidents.show, alerts.list, prometheus.targets, runbooks.list, runbooks.show, runs.list, runs.show,
  // proxies.list, backends.list, caches.list, caches.show, credentials.list, conns, faults.list.
  // Acts (need the operator token): incidents.ack, incidents.resolve, alerts.receive, runbooks.plan, runbooks.run,
  // runs.approve, runs.abort, caches.create, caches.delete, caches.flush, credentials.create,
  // credentials.update, credentials.delete, faults.set, faults.clear, region.stop.
  virtual boost::asio::awaitable<base::Result<boost::json::value>> call(
      std::string verb, boost::json::object args) = 0;
  // Grows whenever `status` would answer differently in a way worth showing at once.
  virtual uint64_t change_count() const = 0;
  // Of every proxy of the region: what `status` says, without the work of all of it.
  virtual std::vector<ProxyRate> rates() const = 0;
};

}  // namespace agent::web
