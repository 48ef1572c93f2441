// Backoff: how long to wait before the next attempt to reach a backend.
//
// The first attempt after a loss is made at once (a backend that was restarted is back), then the
// wait doubles from 50 ms to 1 s. Reaching the TCP port is no success: a stopped process still
// accepts; only an answer is (succeeded()).
#pragma once

#include <algorithm>

#include "base/time/clock.h"

namespace proxy::health {

inline constexpr base::Duration kFirstDelay = std::chrono::milliseconds(50);
inline constexpr base::Duration kMostDelay = std::chrono::seconds(1);

// Thread: one. Owner: the link.
class Backoff {
 public:
  base::Duration next() {
    const base::Duration delay = delay_;
    delay_ = delay_ == base::Duration(0) ? kFirstDelay : std::min(delay_ * 2, kMostDelay);
    return delay;
  }
  void succeeded() { delay_ = base::Duration(0); }

 private:
  base::Duration delay_{0};
};

}  // namespace proxy::health
