// Looking at a running region from beside it: until it is ready, and then for what changes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "base/time/timers.h"
#include "cli/region/places.h"
#include "cli/region/stop.h"

namespace cli {

// The answer of region.describe, when the agent gives one.
boost::asio::awaitable<std::optional<boost::json::object>> describe_region(Places places,
                                                                           base::Timers& timers);
// A line for each incident and run that changes, until cancelled.
boost::asio::awaitable<void> tell_changes(Places places, base::Timers& timers, Say say);

// Reads `ready`, and what it waits for in words: "proxy amber-proxy-1, backend …".
bool is_ready(const boost::json::object& region);
std::string waiting_for(const boost::json::object& region);

}  // namespace cli
