// The actions that runbooks call, by name:
//
//   proxy.replace     {proxy} → {pid, forced, handed_over}   disruptive
//   proxy.drain       {proxy} → {remaining}               disruptive
//   canary.data_path  {proxy | cluster, keys_per_backend} → {probes, left_out, ok}   observe
//   epoch.eject       {cluster, backend} → {epoch}        disruptive, reversible (epoch.admit)
//   epoch.admit       {cluster, backend} → {epoch}        reversible
//   backend.await     {backend, for} → {state: recovered|dead|stuck}       observe
//   backend.replace   {backend} → {pid}                   disruptive
//   backend.flush     {backend} → {}                      disruptive
//   cache.flush       {cache, origin, reason} → {generation}               disruptive
//   cluster.flush     {cluster, reason} → {caches}        disruptive
//   evidence.gather   {cluster?, proxy?, backend?} → {file}                observe
//   notify.page       {text} → {}                         observe
//
// Every acting one passes the fence gate of its cluster's lock first. Their interface is
// runbook/action.h; this registers them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string>

#include "agent/action/canary.h"
#include "agent/action/process_provider.h"
#include "agent/coord/coordinator.h"
#include "agent/coord/peers.h"
#include "agent/runbook/action.h"
#include "base/time/timers.h"

namespace agent::action {

// What the actions act through; all outlive the registry.
struct Hands {
  boost::asio::any_io_executor executor;
  coord::Coordinator& coordinator;
  ProcessProvider& provider;
  coord::ProxyControl& proxies;
  coord::BackendControl& backends;
  Canary& canary;
  base::Timers& timers;
  // JSON text of what the collectors know of the members of a scope, for evidence bundles.
  std::function<std::string()> snapshot;
};

void add_actions(runbook::ActionRegistry& registry, const Hands& hands);

// The same names and inputs without anything to act through, to lint runbooks; calling them is a bug.
void add_action_names(runbook::ActionRegistry& registry);

}  // namespace agent::action
