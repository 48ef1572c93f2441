// Counts as the document that `conns` answers with, from the agent or from the tool alone. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/conns/counts.h"

namespace agent::conns {

enum class By { kState, kClient, kPort };
std::optional<By> parse_by(std::string_view text);  // "state", "client", "port"
inline constexpr size_t kMaxRows = 100;

// {by, rows, source, why, exact, …}: docs/connections.md. `port` 0: all ports. `clients` only matter
// for By::kClient. At most kMaxRows rows, most connections first.
boost::json::object report(const Counts& counts, const std::vector<ClientCount>& clients, By by,
                           uint16_t port);

}  // namespace agent::conns
