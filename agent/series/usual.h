// Usual: the level that a flow of traffic hardly ever falls below.
//
// Idea: two answers, and the lower one counts. A mean with a memory of half an hour follows the
// course of the day; the low quintile of the last four hours, in slots of five minutes each
// told by its lowest ten seconds, does not follow a batch job upwards, and is nothing for traffic
// that comes in bursts. What falls far below both has lost something that was always there.
#pragma once

#include <array>
#include <cstddef>

#include "agent/series/learned.h"

namespace agent::series {

// Thread: its owner's. Invariant: value() >= 0; 48 numbers whatever happens.
class Usual {
 public:
  Usual() = default;
  // As value() and seconds() were.
  Usual(double value, double seconds);

  // Values of a gauge or of a rate, about once a second; after a gap the ten seconds begin anew.
  void learn(double value, base::Instant at, base::Duration forget);

  double value() const;
  double seconds() const { return level_.seconds(); }

 private:
  static constexpr size_t kSlots = 48;
  void end_slot();

  Level level_;
  base::Instant last_, mean_began_, slot_began_;  // ns == 0: not yet
  double sum_ = 0, count_ = 0;                    // of the ten seconds
  double lowest_ = -1;                            // of the slot; negative: none yet
  std::array<float, kSlots> slots_{};
  size_t used_ = 0, next_ = 0;
  double low_ = -1;  // the low quintile; negative: not known
};

}  // namespace agent::series
