// Backoff: how long to wait before the next attempt to reach a backend.
//
// The first attempt after a loss is made at once (a backend that was restarted is back), then the
// wait doubles from 50 ms to 1 s. Reaching the TCP port is no success: a stopped process still
// accepts; only an answer is (answered()). Nor does one answer make it sound: a backend that answers
// and dies again and again would be called at once each time. It has to last for as long as ten of
// the waits that it has earned, one second at least, before a loss counts as the first one.
#pragma once

#include <algorithm>
#include <optional>

#include "base/time/clock.h"

namespace proxy::health {

inline constexpr base::Duration kFirstDelay = std::chrono::milliseconds(50);
inline constexpr base::Duration kMostDelay = std::chrono::seconds(1);
inline constexpr base::Duration kShortestProof = std::chrono::seconds(1);
inline constexpr int kProofPerDelay = 10;

// Thread: one. Owner: the link.
class Backoff {
 public:
  // The connection is lost or was not made: the wait before the next attempt.
  base::Duration lost(base::Instant now) {
    const bool has_lasted =
        answered_ && now - *answered_ >= std::max(kShortestProof, kProofPerDelay * delay_);
    if (has_lasted) delay_ = base::Duration(0);
    answered_.reset();
    const base::Duration delay = delay_;
    delay_ = delay_ == base::Duration(0) ? kFirstDelay : std::min(delay_ * 2, kMostDelay);
    return delay;
  }
  void answered(base::Instant now) { answered_ = now; }
  // It is about another backend from here on.
  void reset() { *this = Backoff(); }

 private:
  base::Duration delay_{0};
  std::optional<base::Instant> answered_;  // since when the present connection answers
};

}  // namespace proxy::health
