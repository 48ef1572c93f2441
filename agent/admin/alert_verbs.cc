// What Prometheus and Alertmanager ask: where to scrape, and to take alerts.
#include "agent/admin/operator.h"
#include "agent/admin/status.h"
#include "agent/incident/json.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

incident::KnownNames names_of(const coord::RegionSpec& spec) {
  incident::KnownNames names;
  for (const coord::ClusterSpec& cluster : spec.clusters) {
    names.clusters.insert(cluster.name);
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      names.proxies.emplace(proxy.id, cluster.name);
    }
    for (const coord::BackendSpec& backend : cluster.backends) {
      names.backends.emplace(backend.id, cluster.name);
    }
  }
  return names;
}

}  // namespace

Operator::Answer Operator::receive_alerts(json::object args) {
  auto alerts = incident::parse_alerts(args, names_of(parts_.coordinator.region().spec()));
  if (!alerts) co_return alerts.error();
  const incident::Moment at{parts_.timers.clock().now(), parts_.timers.clock().wall()};
  // The next evaluation, a tenth of a second later at most, opens and closes incidents by it.
  auto taken = parts_.alerts.receive(*std::move(alerts), at);
  if (!taken) co_return taken.error();
  json::value answer = json::object{{"firing", taken->firing}, {"resolved", taken->resolved}};
  co_return answer;
}

Operator::Answer Operator::list_alerts(json::object) {
  json::array listed;
  for (const incident::Alert& alert : parts_.alerts.firing()) {
    json::value incident = nullptr;  // another one explains it, or a person has resolved it
    for (const incident::Incident* open : parts_.book.unresolved()) {
      if (open->alert == alert.fingerprint) incident = open->id;
    }
    listed.push_back(json::object{{"fingerprint", alert.fingerprint},
                                  {"name", alert.name},
                                  {"summary", alert.summary},
                                  {"scope", incident::to_json(alert.scope)},
                                  {"started_at", alert.starts.to_rfc3339()},
                                  {"incident", std::move(incident)}});
  }
  json::value answer = json::object{{"alerts", std::move(listed)}};
  co_return answer;
}

// The document of Prometheus's http_sd_configs.
Operator::Answer Operator::list_targets(json::object) {
  json::array groups;
  for (const coord::ClusterSpec& cluster : parts_.coordinator.region().spec().clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      const std::string address = host_port(proxy.address, cluster.ports.metrics);
      groups.push_back(
          json::object{{"targets", json::array{json::string(address)}},
                       {"labels", json::object{{"cluster", cluster.name}, {"proxy", proxy.id}}}});
    }
  }
  json::value answer = std::move(groups);
  co_return answer;
}

}  // namespace agent::admin
