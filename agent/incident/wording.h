// Words for customers: what they notice, what they may have lost, what happens next. No internals:
// no addresses, ids, proxies or backends, only "cluster amber", which customers know.
#pragma once

#include <string>
#include <string_view>

#include "agent/incident/incident.h"

namespace agent::incident {

// As status pages know it.
enum class Impact { kNone, kMinor, kMajor, kCritical };
std::string_view to_string(Impact impact);  // "none", "minor", …

struct PublicText {
  std::string title;  // "Slow requests on cluster amber"
  std::string body;   // the update for the incident's present state
};

// Suspected incidents are not for customers: both texts empty.
PublicText public_text(const Incident& incident);
Impact public_impact(const Incident& incident);

// For operators: "Proxy amber-proxy-1 is dead".
std::string operator_title(Type type, const Scope& scope);

}  // namespace agent::incident
