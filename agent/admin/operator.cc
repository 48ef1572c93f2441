#include "agent/admin/operator.h"

#include <unistd.h>

#include <algorithm>
#include <limits>

#include "agent/admin/arguments.h"

namespace agent::admin {
namespace {

// Who waits keeps a connection's slot of a server, also when the client has gone: so not for long, and
// few at once.
constexpr uint64_t kMostWaitMs = 10'000;
constexpr long kMostWaiters = 16;
constexpr base::Duration kChangesBeat = std::chrono::milliseconds(100);

}  // namespace

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
          {"pauses.list", &Operator::list_pauses},
          {"pauses.add", &Operator::add_pause},
          {"pauses.lift", &Operator::lift_pause},
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
         parts_.coordinator.journal().change_count() + parts_.coordinator.tenants().change_count() +
         parts_.engine.pauses().change_count();
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

std::vector<web::ProxyRate> Operator::rates() const {
  std::vector<web::ProxyRate> rates;
  for (const auto& [id, figures] : parts_.collector.snapshot().proxies) {
    rates.push_back({figures.cluster, id, figures.requests_per_second});
  }
  return rates;
}

boost::asio::awaitable<void> Operator::wait_for_change(uint64_t seen, uint64_t wait_ms) {
  const auto one_more = waiters_;
  const std::chrono::milliseconds most(std::min(wait_ms, kMostWaitMs));
  const base::Instant end = parts_.timers.clock().now() + most;
  while (change_count() == seen && parts_.timers.clock().now() < end) {
    co_await parts_.timers.wait_for_beat(kChangesBeat);
  }
}

// With `seen`, the `changes` of an earlier answer, it waits until something has changed since, or for
// `wait_ms`: who watches costs nothing while nothing happens, and is told within a beat. It may be
// answered sooner, and then asks again.
Operator::Answer Operator::show_status(json::object args) {
  const auto seen = number_argument(args, "seen", 0, std::numeric_limits<uint64_t>::max());
  if (!seen) co_return seen.error();
  const auto wait_ms = number_argument(args, "wait_ms", 0, std::numeric_limits<uint64_t>::max());
  if (!wait_ms) co_return wait_ms.error();
  if (waiters_.use_count() <= kMostWaiters) co_await wait_for_change(*seen, *wait_ms);
  json::object shown = status();
  if (args.contains("seen")) shown["changes"] = change_count();
  co_return shown;
}

}  // namespace agent::admin
