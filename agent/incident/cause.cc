#include "agent/incident/cause.h"

namespace agent::incident {

namespace {

// Inferred from canaries alone, a "stuck" may as well be the network's doing.
constexpr double kSureOfStuck = 0.9;

// Of an alert only its place is known, not what it measures; our own rules for what is merely unusual
// (less traffic, one that differs) say no more. What is said about a member in trouble, about
// something within a network in trouble or about a cluster with either, is taken for a symptom.
bool explains_unusual(Type type, const Scope& scope, const Scope& alert) {
  if (family_of(type) == Family::kOther) return type == Type::kClusterLost;
  Scope place = scope;
  place.client.clear();  // what a client does shows at its proxy
  return contains(place, alert) || is_wide(alert);
}

// The proxy that clients flood is slow, and so may be others, as members, where they share its machine.
bool is_made_slow(const Scope& flood, Type type, const Scope& scope) {
  if (type == Type::kMemberSlow && (is_wide(scope) || flood.proxy.empty())) return true;
  return family_of(type) == Family::kNetwork && !flood.proxy.empty() && flood.proxy == scope.proxy;
}
bool explains_slowness(const Scope& flood, const Verdict& verdict, bool fresh) {
  const bool slow = family_of(verdict.type) == Family::kNetwork;
  if (!slow) return false;
  // A whole network is not the clients' doing; a place in it may show what has just begun.
  const bool shock = fresh && (verdict.type == Type::kMemberSlow || !is_wide(verdict.scope));
  return shock || is_made_slow(flood, verdict.type, verdict.scope);
}

bool is_unsure_stuck(const Verdict& verdict) {
  return (verdict.type == Type::kProxyStuck || verdict.type == Type::kBackendStuck) &&
         verdict.confidence < kSureOfStuck;
}

}  // namespace

Family family_of(Type type) {
  switch (type) {
    case Type::kProxyDead:
    case Type::kProxyStuck:
      return Family::kProxySick;
    case Type::kBackendDead:
    case Type::kBackendStuck:
      return Family::kBackendSick;
    case Type::kNetworkDegraded:
    case Type::kMemberSlow:
    case Type::kSeveralClusters:
      return Family::kNetwork;
    case Type::kConnectionSurge:
    case Type::kClientFlood:
      return Family::kConnections;
    case Type::kClusterLost:
    case Type::kControlPlaneLost:
    case Type::kResourcesLow:
    case Type::kCertificateExpiring:
    case Type::kOther:
      break;
  }
  return Family::kOther;
}

bool is_proven(Type type) {
  const Family family = family_of(type);
  return family == Family::kProxySick || family == Family::kBackendSick;
}

Scope widened(const Scope& a, const Scope& b) {
  if (a.cluster != b.cluster) return {};
  Scope scope;
  scope.cluster = a.cluster;
  if (a.proxy == b.proxy) scope.proxy = a.proxy;
  if (a.backend == b.backend) scope.backend = a.backend;
  if (a.client == b.client) scope.client = a.client;
  return scope;
}

bool contains(const Scope& outer, const Scope& inner) {
  return widened(outer, inner) == outer;
}

bool is_wide(const Scope& scope) {
  return scope.proxy.empty() && scope.backend.empty() && scope.client.empty();
}

bool same_cause(Type type, const Scope& scope, const Verdict& verdict) {
  const Family family = family_of(type);
  if (family != family_of(verdict.type)) return false;
  switch (family) {
    case Family::kProxySick:
      return scope.cluster == verdict.scope.cluster && scope.proxy == verdict.scope.proxy;
    case Family::kBackendSick:
      return scope.cluster == verdict.scope.cluster && scope.backend == verdict.scope.backend;
    case Family::kNetwork:
      // Within a cluster the network is one thing. Two clusters whose whole networks are slow share
      // a cause outside of both; a slow proxy here and a slow backend there do not.
      if (scope.cluster.empty() || verdict.scope.cluster.empty() ||
          scope.cluster == verdict.scope.cluster) {
        return true;
      }
      return type != Type::kMemberSlow && verdict.type != Type::kMemberSlow && is_wide(scope) &&
             is_wide(verdict.scope);
    case Family::kConnections:
      return scope.cluster == verdict.scope.cluster;
    case Family::kOther:
      break;
  }
  return type == verdict.type && scope == verdict.scope;
}

bool same_cause(const Incident& incident, const Verdict& verdict) {
  return incident.alert == verdict.alert && same_cause(incident.type, incident.scope, verdict);
}

bool explains(Type type, const Scope& scope, const Verdict& verdict, bool fresh) {
  const Family seen = family_of(verdict.type);
  if (!scope.cluster.empty() && scope.cluster != verdict.scope.cluster) return false;
  if (!verdict.alert.empty() || verdict.type == Type::kOther) {
    return explains_unusual(type, scope, verdict.scope);
  }
  switch (family_of(type)) {
    case Family::kProxySick:
      // Its clients go to the other proxies, and the machine is busy with them.
      if (seen == Family::kConnections) return true;
      if (verdict.scope.proxy == scope.proxy && verdict.scope.backend.empty()) return true;
      return seen == Family::kNetwork && (fresh || verdict.scope.proxy == scope.proxy);
    case Family::kBackendSick:
      if (verdict.scope.backend == scope.backend) return true;
      return fresh &&
             (seen == Family::kNetwork || seen == Family::kConnections || is_unsure_stuck(verdict));
    case Family::kNetwork:
      if (!contains(scope, verdict.scope) && seen != Family::kConnections) return false;
      // Waiting clients open more connections; a handful of clients does that by itself.
      return verdict.type == Type::kConnectionSurge || is_unsure_stuck(verdict);
    case Family::kConnections:
      return type == Type::kClientFlood && explains_slowness(scope, verdict, fresh);
    case Family::kOther:
      break;
  }
  return type == Type::kClusterLost;
}

bool supersedes(const Verdict& verdict, Type type, const Scope& scope) {
  if (scope.cluster != verdict.scope.cluster) return false;
  const Family shown = family_of(type);
  switch (family_of(verdict.type)) {
    case Family::kProxySick:
      return shown == Family::kNetwork && scope.proxy == verdict.scope.proxy;
    case Family::kBackendSick:
      return shown == Family::kNetwork &&
             (scope.backend == verdict.scope.backend || is_wide(scope));
    case Family::kNetwork:
      return type == Type::kConnectionSurge && is_wide(verdict.scope);
    case Family::kConnections:
      return verdict.type == Type::kClientFlood && is_made_slow(verdict.scope, type, scope);
    case Family::kOther:
      break;
  }
  return false;
}

}  // namespace agent::incident
