// Causes: which verdicts and incidents are about the same thing, and which explain others.
//
// Pure functions over types and scopes; the book adds time to them. Four families of trouble: a
// sick proxy, a sick backend, the network (and whatever else makes answers slow), connections.
#pragma once

#include "agent/incident/incident.h"

namespace agent::incident {

enum class Family { kProxySick, kBackendSick, kNetwork, kConnections, kOther };
Family family_of(Type type);

// Proven or nearly so: nothing but a replacement ends it, and it does not flap.
bool is_proven(Type type);

// The smallest scope that contains both.
Scope widened(const Scope& a, const Scope& b);
bool contains(const Scope& outer, const Scope& inner);
// A cluster's network (no proxy, backend or client named), or several clusters.
bool is_wide(const Scope& scope);

// The verdict belongs to an incident with this type and scope: it is added to it, and may widen it.
bool same_cause(Type type, const Scope& scope, const Verdict& verdict);

// The same, for an incident; an alert from outside belongs to its own incident only.
bool same_cause(const Incident& incident, const Verdict& verdict);

// An incident with this type and scope makes the verdict no news. `fresh`: it began or ended only
// moments ago, when its shock still shows elsewhere in the cluster.
bool explains(Type type, const Scope& scope, const Verdict& verdict, bool fresh);

// The verdict is the cause of which the incident showed only a symptom.
bool supersedes(const Verdict& verdict, Type type, const Scope& scope);

}  // namespace agent::incident
