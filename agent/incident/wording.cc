#include "agent/incident/wording.h"

#include <array>

namespace agent::incident {

namespace {

constexpr std::array kTypes = {Type::kProxyDead,           Type::kProxyStuck,
                               Type::kBackendDead,         Type::kBackendStuck,
                               Type::kConnectionSurge,     Type::kClientFlood,
                               Type::kNetworkDegraded,     Type::kMemberSlow,
                               Type::kClusterLost,         Type::kSeveralClusters,
                               Type::kControlPlaneLost,    Type::kResourcesLow,
                               Type::kCertificateExpiring, Type::kOther};
constexpr std::array kStates = {State::kSuspected, State::kOpen, State::kMitigating,
                                State::kMonitoring, State::kResolved};

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::kProxyDead:
      return "proxy_dead";
    case Type::kProxyStuck:
      return "proxy_stuck";
    case Type::kBackendDead:
      return "backend_dead";
    case Type::kBackendStuck:
      return "backend_stuck";
    case Type::kConnectionSurge:
      return "connection_surge";
    case Type::kClientFlood:
      return "client_flood";
    case Type::kNetworkDegraded:
      return "network_degraded";
    case Type::kMemberSlow:
      return "member_slow";
    case Type::kClusterLost:
      return "cluster_lost";
    case Type::kSeveralClusters:
      return "several_clusters";
    case Type::kControlPlaneLost:
      return "control_plane_lost";
    case Type::kResourcesLow:
      return "resources_low";
    case Type::kCertificateExpiring:
      return "certificate_expiring";
    case Type::kOther:
      break;
  }
  return "other";
}

std::string_view to_string(State state) {
  switch (state) {
    case State::kSuspected:
      return "suspected";
    case State::kOpen:
      return "open";
    case State::kMitigating:
      return "mitigating";
    case State::kMonitoring:
      return "monitoring";
    case State::kResolved:
      break;
  }
  return "resolved";
}

std::span<const Type> all_types() {
  return kTypes;
}

std::optional<Type> parse_type(std::string_view text) {
  for (const Type type : kTypes) {
    if (to_string(type) == text) return type;
  }
  return std::nullopt;
}

std::optional<State> parse_state(std::string_view text) {
  for (const State state : kStates) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

std::string Scope::to_string() const {
  if (!client.empty()) return "client " + client;
  if (!proxy.empty() && !backend.empty()) return "link " + proxy + " to " + backend;
  if (!proxy.empty()) return "proxy " + proxy;
  if (!backend.empty()) return "backend " + backend;
  if (!cluster.empty()) return "cluster " + cluster;
  return "several clusters";
}

std::string operator_title(Type type, const Scope& scope) {
  const std::string at = scope.to_string();
  std::string capital = at;
  if (!capital.empty()) capital[0] = static_cast<char>(capital[0] - 'a' + 'A');
  switch (type) {
    case Type::kProxyDead:
    case Type::kBackendDead:
      return capital + " is dead";
    case Type::kProxyStuck:
    case Type::kBackendStuck:
      return capital + " is stuck";
    case Type::kConnectionSurge:
      return "Connection surge on " + at;
    case Type::kClientFlood:
      if (scope.client.empty()) return "Flood by a few clients on " + at;
      return "Flood by " + at + (scope.proxy.empty() ? "" : " on proxy " + scope.proxy);
    case Type::kNetworkDegraded:
      if (scope.proxy.empty() && scope.backend.empty()) return "Slow network in " + at;
      return "Slow network at " + at;
    case Type::kMemberSlow:
      if (scope.proxy.empty() && scope.backend.empty()) return "Slow members in " + at;
      if (!scope.proxy.empty() && !scope.backend.empty()) return "Slow end of the " + at;
      return capital + " is slow";
    case Type::kClusterLost:
      return capital + " is lost";
    case Type::kSeveralClusters:
      return "Slow network in several clusters";
    case Type::kControlPlaneLost:
      return "The control plane is lost";
    case Type::kResourcesLow:
      return "Resources run out on " + at;
    case Type::kCertificateExpiring:
      return "The certificate of " + at + " expires";
    case Type::kOther:
      break;
  }
  return "Unusual behaviour of " + at;
}

}  // namespace agent::incident
