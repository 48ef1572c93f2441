#include "cli/region/backoff.h"

#include <algorithm>

namespace cli {

base::Duration RestartBackoff::next(base::Duration lived) {
  const bool fresh = lived >= kLived || delay_ == base::Duration::zero();
  delay_ = fresh ? kFirst : std::min(delay_ * 2, kLongest);
  return delay_;
}

}  // namespace cli
