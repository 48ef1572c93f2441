#include "agent/admin/operator.h"

#include <unistd.h>

namespace agent::admin {

namespace json = boost::json;

Operator::Operator(OperatorParts parts)
    : parts_(std::move(parts)),
      verbs_{
          {"status", &Operator::show_status},
          {"incidents.list", &Operator::list_incidents},
          {"incidents.show", &Operator::show_incident},
          {"incidents.ack", &Operator::acknowledge_incident},
          {"incidents.resolve", &Operator::resolve_incident},
          {"alerts.receive", &Operator::receive_alerts},
          {"alerts.list", &Operator::list_alerts},
          {"prometheus.targets", &Operator::list_targets},
          {"runbooks.list", &Operator::list_runbooks},
          {"runbooks.show", &Operator::show_runbook},
          {"runbooks.plan", &Operator::plan_runbook},
          {"runbooks.run", &Operator::run_runbook},
          {"runs.list", &Operator::list_runs},
          {"runs.show", &Operator::show_run},
          {"runs.approve", &Operator::approve_run},
          {"runs.abort", &Operator::abort_run},
          {"proxies.list", &Operator::list_proxies},
          {"backends.list", &Operator::list_backends},
          {"caches.list", &Operator::list_caches},
          {"caches.show", &Operator::show_cache},
          {"caches.create", &Operator::create_cache},
          {"caches.delete", &Operator::delete_cache},
          {"caches.flush", &Operator::flush_cache},
          {"credentials.list", &Operator::list_credentials},
          {"credentials.create", &Operator::create_credential},
          {"credentials.update", &Operator::update_credential},
          {"credentials.delete", &Operator::delete_credential},
          {"conns", &Operator::count_connections},
          {"samples.keys", &Operator::show_busy_keys},
          {"samples.slow", &Operator::show_slow_requests},
          {"samples.clients", &Operator::show_busy_clients},
          {"faults.list", &Operator::list_faults},
          {"faults.set", &Operator::set_fault},
          {"faults.clear", &Operator::clear_faults},
          {"region.stop", &Operator::stop_region},
      } {}

Operator::Answer Operator::call(std::string verb, json::object args) {
  const auto found = verbs_.find(verb);
  if (found == verbs_.end()) {
    co_return base::Error(base::ErrorCode::kNotFound, "no verb '" + verb + "'");
  }
  co_return co_await (this->*found->second)(std::move(args));
}

uint64_t Operator::change_count() const {
  return changes_ + parts_.coordinator.region().change_count() +
         parts_.coordinator.journal().change_count() + parts_.coordinator.tenants().change_count();
}

StatusParts Operator::status_parts() const {
  return StatusParts{parts_.coordinator.region(), parts_.coordinator.journal(),
                     parts_.collector.snapshot(), parts_.book, parts_.engine};
}

json::object Operator::status() const {
  base::Clock& clock = parts_.timers.clock();
  const AgentFacts agent{clock.wall(), clock.now() - parts_.started, ::getpid()};
  return build_status(status_parts(), agent);
}

Operator::Answer Operator::show_status(json::object) {
  json::value shown = status();
  co_return shown;
}

}  // namespace agent::admin
