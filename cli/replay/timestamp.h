// Timestamps as people's files have them.
#pragma once

#include <optional>
#include <string_view>

#include "base/time/clock.h"

namespace cli {

// RFC 3339 ("2026-11-23T07:28:17.042Z", any offset), "2026-11-23 07:28:17" with or without fraction
// and offset, "2026-11-23 07:28", "2026-11-23", also with slashes; without an offset it is UTC. Or
// a number since 1970: seconds (also with a fraction), milliseconds, microseconds or nanoseconds,
// told by its size. nullopt: none of these.
std::optional<base::WallTime> parse_timestamp(std::string_view text);

}  // namespace cli
