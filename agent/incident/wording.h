// Words for operators: names of incident types and states, and the title of an incident. What
// customers read is made in publish/, without names of machines.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/incident/incident.h"

namespace agent::incident {

std::span<const Type> all_types();
std::optional<Type> parse_type(std::string_view text);    // "proxy_dead"; the reverse of to_string
std::optional<State> parse_state(std::string_view text);  // "open"

// "Proxy amber-proxy-1 is dead", "Slow network in cluster amber".
std::string operator_title(Type type, const Scope& scope);

}  // namespace agent::incident
