// The agent's web face on port 7480: the operator API, the console, /metrics and health.
//
// HttpServer hands every request to handle(). Order of the checks: Host (against DNS rebinding:
// only localhost, 127.0.0.1, [::1] and the names configured), path, method, token for acts
// (constant time), body (JSON object, at most what the route says). What is left becomes one OperatorApi::call.
// Nothing is decided here. docs/api.md is the contract.
#pragma once

#include <prometheus/metric_family.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/web/operator_api.h"
#include "base/core/secret.h"
#include "base/net/http.h"
#include "base/time/timers.h"

namespace agent::web {

// Thread: the control thread's. Owner: app, which stops the HttpServer first, then calls stop().
class OperatorWeb {
 public:
  struct Options {
    base::Secret token;              // of operator.token; empty: every act is refused
    std::vector<std::string> hosts;  // further names that a Host header may carry, without port
  };
  struct Providers {
    // The application's own families (agent_metrics.h makes them from counters); those that follow
    // from `status` are added here. May be empty.
    std::function<std::vector<prometheus::MetricFamily>()> metrics;
    // An Error says what the agent still waits for. Empty: always ready.
    std::function<base::Result<>()> ready;
  };

  OperatorWeb(boost::asio::any_io_executor executor, base::Timers& timers, OperatorApi& api,
              Options options, Providers providers);
  ~OperatorWeb();

  // Begins to sample `status` for event readers and sparklines.
  void start();
  boost::asio::awaitable<base::net::HttpResponse> handle(base::net::HttpRequest request);
  boost::asio::awaitable<void> stop();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace agent::web
