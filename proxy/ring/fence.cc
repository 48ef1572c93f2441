#include "proxy/ring/fence.h"

namespace proxy::ring {

std::string_view to_string(Hold hold) {
  switch (hold) {
    case Hold::kNone:
      return "none";
    case Hold::kNeverRead:
      return "never_read";
    case Hold::kMissing:
      return "missing";
    case Hold::kNewer:
      return "newer";
    case Hold::kStale:
      return "stale";
  }
  return "unknown";
}

}  // namespace proxy::ring
