// Operator: the verbs of the operator API, for the web, the CLI and the agent's own socket.
//
// Idea: one table from verb to function; every act that disturbs anybody goes through the runbook
// engine, the same door as the agent's own acts (flush is the runbook `flush`), except for tenants'
// records, which disturb nobody. Arguments come as JSON and may be text or numbers (a query string
// has only text).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "agent/action/process_provider.h"
#include "agent/admin/status.h"
#include "agent/collect/collector.h"
#include "agent/coord/coordinator.h"
#include "agent/coord/peers.h"
#include "agent/coord/usage.h"
#include "agent/incident/alerts.h"
#include "agent/incident/book.h"
#include "agent/runbook/engine.h"
#include "agent/web/operator_api.h"
#include "base/core/result.h"
#include "base/time/timers.h"

namespace agent::admin {

// All outlive the Operator.
struct OperatorParts {
  coord::Coordinator& coordinator;
  coord::ProxyControl& proxies;
  action::ProcessProvider& provider;
  collect::Collector& collector;
  incident::IncidentBook& book;
  incident::Alerts& alerts;
  runbook::Engine& engine;
  base::Timers& timers;
  // Told about what a verb did to the book, so that it is stored and published.
  std::function<void(const incident::Change&)> changed;
  // Begins to stop the region; the process ends soon after.
  std::function<void()> stop;
  base::Instant started;
};

// Thread: the control thread's. Owner: app.
class Operator final : public web::OperatorApi {
 public:
  using Answer = boost::asio::awaitable<base::Result<boost::json::value>>;

  explicit Operator(OperatorParts parts);
  Answer call(std::string verb, boost::json::object args) override;
  uint64_t change_count() const override;
  std::vector<web::ProxyRate> rates() const override;
  // The book, the runs or the tenants have changed in a way that `status` shows.
  void note_change() { ++changes_; }

  boost::json::object status() const;

 private:
  using Verb = Answer (Operator::*)(boost::json::object args);

  Answer show_status(boost::json::object args);
  boost::asio::awaitable<void> wait_for_change(uint64_t seen, uint64_t wait_ms);
  // incident_verbs.cc
  Answer list_incidents(boost::json::object args);
  Answer show_incident(boost::json::object args);
  Answer acknowledge_incident(boost::json::object args);
  Answer resolve_incident(boost::json::object args);
  // alert_verbs.cc
  Answer receive_alerts(boost::json::object args);
  Answer list_alerts(boost::json::object args);
  Answer list_targets(boost::json::object args);
  // run_verbs.cc
  Answer list_runbooks(boost::json::object args);
  Answer show_runbook(boost::json::object args);
  Answer plan_runbook(boost::json::object args);
  Answer run_runbook(boost::json::object args);
  Answer list_runs(boost::json::object args);
  Answer show_run(boost::json::object args);
  Answer approve_run(boost::json::object args);
  Answer abort_run(boost::json::object args);
  // pause_verbs.cc
  Answer list_pauses(boost::json::object args);
  Answer add_pause(boost::json::object args);
  Answer lift_pause(boost::json::object args);
  // tenant_verbs.cc
  Answer list_caches(boost::json::object args);
  Answer show_cache(boost::json::object args);
  Answer create_cache(boost::json::object args);
  Answer delete_cache(boost::json::object args);
  Answer flush_cache(boost::json::object args);
  Answer list_credentials(boost::json::object args);
  Answer create_credential(boost::json::object args);
  Answer update_credential(boost::json::object args);
  Answer delete_credential(boost::json::object args);
  // sample_verbs.cc
  Answer show_busy_keys(boost::json::object args);
  Answer show_slow_requests(boost::json::object args);
  Answer show_busy_clients(boost::json::object args);
  // region_verbs.cc
  Answer list_proxies(boost::json::object args);
  Answer list_backends(boost::json::object args);
  Answer count_connections(boost::json::object args);
  Answer list_faults(boost::json::object args);
  Answer set_fault(boost::json::object args);
  Answer clear_faults(boost::json::object args);
  Answer stop_region(boost::json::object args);

  StatusParts status_parts() const;
  base::Result<> require_gameday() const;
  base::Result<> check_incident(const boost::json::object& args) const;
  boost::asio::awaitable<void> tell_proxies(std::string cluster);
  boost::asio::awaitable<coord::CacheUsage> usage_of(coord::Cache cache);
  base::Result<base::CacheId> customer_cache(const boost::json::object& args,
                                             std::string_view name) const;
  Answer forwarder_call(std::string verb, boost::json::object args);

  OperatorParts parts_;
  const std::map<std::string, Verb, std::less<>> verbs_;
  uint64_t changes_ = 0;
  // Of each who waits in show_status there is a copy, however the wait ends.
  const std::shared_ptr<const char> waiters_ = std::make_shared<const char>();
  std::set<std::string> stopped_;  // by the fault `stop`: `clear` continues them
};

}  // namespace agent::admin
