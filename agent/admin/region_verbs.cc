#include <csignal>

#include "agent/admin/arguments.h"
#include "agent/admin/operator.h"
#include "agent/conns/dump.h"
#include "agent/conns/report.h"
#include "base/net/rpc.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

constexpr base::Duration kForwarderTimeout = std::chrono::seconds(2);
constexpr uint64_t kMaxDelayMs = 60'000;

}  // namespace

Operator::Answer Operator::list_proxies(json::object args) {
  const std::string wanted = text_argument(args, "cluster").value_or("");
  json::array listed;
  for (const coord::ClusterSpec& cluster : parts_.coordinator.region().spec().clusters) {
    if (!wanted.empty() && wanted != cluster.name) continue;
    for (json::value& proxy : build_proxies(status_parts(), cluster)) {
      listed.push_back(std::move(proxy));
    }
  }
  json::value answer = json::object{{"proxies", std::move(listed)}};
  co_return answer;
}

Operator::Answer Operator::list_backends(json::object args) {
  const std::string wanted = text_argument(args, "cluster").value_or("");
  json::array listed;
  for (const coord::ClusterSpec& cluster : parts_.coordinator.region().spec().clusters) {
    if (!wanted.empty() && wanted != cluster.name) continue;
    for (json::value& backend : build_backends(status_parts(), cluster)) {
      listed.push_back(std::move(backend));
    }
  }
  json::value answer = json::object{{"backends", std::move(listed)}};
  co_return answer;
}

Operator::Answer Operator::count_connections(json::object args) {
  const std::string by = text_argument(args, "by").value_or("state");
  auto port = number_argument(args, "port", 0, 65535);
  if (!port) co_return port.error();
  const auto grouping = conns::parse_by(by);
  if (!grouping) {
    co_return base::Error(base::ErrorCode::kInvalid,
                          "by: got '" + by + "', expected state, client or port");
  }
  conns::ConnectionSource& connections = parts_.collector.connections();
  std::vector<conns::ClientCount> clients;
  if (*grouping == conns::By::kClient) clients = connections.top_clients(conns::kMaxRows);
  json::object report =
      conns::report(connections.counts(), clients, *grouping, static_cast<uint16_t>(*port));
  report["time_wait"] = conns::time_wait_total();
  json::value answer = std::move(report);
  co_return answer;
}

base::Result<> Operator::require_gameday() const {
  if (parts_.coordinator.region().spec().gameday) return base::Done{};
  return base::Error(base::ErrorCode::kRefused,
                     "this region takes no faults: it was not started with --gameday");
}

Operator::Answer Operator::forwarder_call(std::string verb, json::object args) {
  base::net::RpcRequest request;
  request.verb = std::move(verb);
  request.args = std::move(args);
  co_return co_await base::net::rpc_call(parts_.coordinator.region().spec().forwarder_socket(),
                                         std::move(request), kForwarderTimeout, parts_.timers);
}

Operator::Answer Operator::list_faults(json::object) {
  if (!parts_.coordinator.region().spec().gameday) {
    json::value none = json::object{{"faults", json::array{}}};
    co_return none;
  }
  auto links = co_await forwarder_call("fault.list", json::object());
  if (!links) co_return links.error();
  json::array faults;
  const json::value* known =
      links->is_object() ? links->get_object().if_contains("faults") : nullptr;
  if (known != nullptr && known->is_array()) faults = known->get_array();
  for (const std::string& id : stopped_) {
    faults.push_back(json::object{{"id", "stop-" + id}, {"kind", "stop"}, {"target", id}});
  }
  json::value answer = json::object{{"faults", std::move(faults)}};
  co_return answer;
}

Operator::Answer Operator::set_fault(json::object args) {
  if (auto allowed = require_gameday(); !allowed) co_return allowed.error();
  auto kind = required_text(args, "kind");
  if (!kind) co_return kind.error();
  const coord::Region& region = parts_.coordinator.region();

  if (*kind == "kill" || *kind == "stop" || *kind == "cont") {
    auto target = required_text(args, "target");
    if (!target) co_return target.error();
    if (region.process(*target) == nullptr) {
      co_return base::Error(base::ErrorCode::kNotFound,
                            "no proxy or backend '" + *target + "'; see `mcguard status`");
    }
    const int number = *kind == "kill" ? SIGKILL : *kind == "stop" ? SIGSTOP : SIGCONT;
    auto sent = parts_.provider.signal(*target, number);
    if (!sent) co_return sent.error();
    stopped_.erase(*target);
    if (number == SIGSTOP) stopped_.insert(*target);
    json::value answer =
        json::object{{"id", *kind + "-" + *target}, {"kind", *kind}, {"target", *target}};
    co_return answer;
  }
  if (*kind != "slow" && *kind != "drop" && *kind != "stall") {
    co_return base::Error(
        base::ErrorCode::kInvalid,
        "kind: got '" + *kind + "', expected kill, stop, cont, slow, drop or stall");
  }

  const std::string cluster = text_argument(args, "cluster").value_or("");
  const std::string proxy = text_argument(args, "proxy").value_or("");
  const std::string backend = text_argument(args, "backend").value_or("");
  if (cluster.empty() && proxy.empty() && backend.empty()) {
    co_return base::Error(base::ErrorCode::kInvalid,
                          "name what to disturb: a cluster, a proxy or a backend");
  }
  if (!cluster.empty() && region.cluster(cluster) == nullptr) {
    co_return base::Error(base::ErrorCode::kNotFound, "no cluster '" + cluster + "'");
  }
  if (!proxy.empty() && region.proxy(proxy) == nullptr) {
    co_return base::Error(base::ErrorCode::kNotFound, "no proxy '" + proxy + "'");
  }
  if (!backend.empty() && region.backend(backend) == nullptr) {
    co_return base::Error(base::ErrorCode::kNotFound, "no backend '" + backend + "'");
  }
  auto share = share_argument(args, "share", *kind == "stall" ? 1.0 : 0.15);
  if (!share) co_return share.error();
  auto shortest = number_argument(args, "delay_min_ms", 5, kMaxDelayMs);
  if (!shortest) co_return shortest.error();
  auto longest = number_argument(args, "delay_max_ms", 15, kMaxDelayMs);
  if (!longest) co_return longest.error();
  if (*shortest > *longest) {
    co_return base::Error(base::ErrorCode::kInvalid, "delay: the first must not exceed the second");
  }
  std::string id =
      text_argument(args, "id")
          .value_or(*kind + "-" + (backend.empty() ? (proxy.empty() ? cluster : proxy) : backend));
  json::object fault{
      {"id", id},
      {"kind", *kind},
      {"match", json::object{{"cluster", cluster}, {"proxy", proxy}, {"backend", backend}}},
      {"share", *share},
      {"delay_min_ms", *shortest},
      {"delay_max_ms", *longest}};
  json::value answer = fault;
  auto done = co_await forwarder_call("fault.set", std::move(fault));
  if (!done) co_return done.error();
  co_return answer;
}

Operator::Answer Operator::clear_faults(json::object args) {
  if (auto allowed = require_gameday(); !allowed) co_return allowed.error();
  const std::string id = text_argument(args, "id").value_or("");
  json::array cleared;
  // Also those that were stopped before this agent began: continuing what runs changes nothing, and
  // one that has been replaced or has ended meanwhile needs nothing.
  for (const coord::Process* process : parts_.coordinator.region().processes()) {
    const std::string fault = "stop-" + process->id;
    if (!id.empty() && id != fault) continue;
    (void)parts_.provider.signal(process->id, SIGCONT);
    if (stopped_.erase(process->id) != 0 || id == fault) cleared.push_back(json::string(fault));
  }
  json::object which;
  if (!id.empty()) which["id"] = id;
  auto links = co_await forwarder_call("fault.clear", std::move(which));
  if (!links) co_return links.error();
  json::value answer = json::object{{"cleared", std::move(cleared)}, {"links", *std::move(links)}};
  co_return answer;
}

Operator::Answer Operator::stop_region(json::object) {
  parts_.stop();
  json::value answer = json::object{{"stopping", true}};
  co_return answer;
}

}  // namespace agent::admin
