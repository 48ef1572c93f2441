// CUSUM: evidence that accumulates and is forgotten when it speaks for health.
//
// S = max(0, S + log likelihood ratio). It reaches a threshold soon after the odds turn, and in
// health it stays near zero for as long as one likes; `since` is when it last left zero, which is
// the best guess of when the trouble began.
#pragma once

#include <algorithm>

#include "base/time/clock.h"

namespace agent::series {

// Thread: its owner's. Invariant: 0 <= value <= cap.
class Cusum {
 public:
  void add(double llr, base::Instant at, double cap) {
    if (value_ <= 0 && llr > 0) since_ = at;
    value_ = std::clamp(value_ + llr, 0.0, cap);
    if (value_ <= 0) since_ = at;
  }
  void reset() { value_ = 0; }
  double value() const { return value_; }
  base::Instant since() const { return since_; }

 private:
  double value_ = 0;
  base::Instant since_;
};

}  // namespace agent::series
