// Stopping a region: through its agent when that answers, by signals to the holders of its locks
// when it does not. Nothing without one of the region's locks is ever signalled.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "base/core/result.h"
#include "base/time/timers.h"
#include "cli/region/places.h"

namespace cli {

using Say = std::function<void(const std::string& line)>;

// Everything that runs in the region, the page server last. kTimeout when something is left.
boost::asio::awaitable<base::Result<>> stop_region(Places places, base::Timers& timers, Say say);

}  // namespace cli
