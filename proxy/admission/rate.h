// Rate: at most so many events a second, with bursts of what a given time is worth.
//
// Idea: all that has to be kept is the moment at which the events so far would be paid for, were
// they evenly spread (the generic cell rate algorithm); an event is allowed while that moment is less
// than the burst's time ahead. A Rate that has been paid for is as good as a new one, so a table of
// them may forget it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time/clock.h"

namespace proxy::admission {

// Thread: one. Owner: a table, or a worker.
class Rate {
 public:
  // True and counted, or false. `per_second` 0: no limit. One event is allowed at least.
  bool take(base::Instant now, uint64_t per_second, base::Duration burst) {
    if (per_second == 0) return true;
    const base::Duration each = std::chrono::nanoseconds(1'000'000'000) / int64_t(per_second);
    const base::Instant from = std::max(paid_, now);
    if (from - now + each > std::max(burst, each)) return false;
    paid_ = from + each;
    return true;
  }
  bool is_paid(base::Instant now) const { return paid_ <= now; }

 private:
  base::Instant paid_;
};

}  // namespace proxy::admission
