// Shared moments: slots in which more than one cluster had a slow request.
//
// On a machine that several clusters share, a moment without CPU makes all of them slow at once; a
// fault of one cluster's network knows nothing of the others. With tiny traffic this is the only
// thing that tells the two apart, because such a slot holds one or two requests, never a mixture.
// Under real traffic every slot has something slow somewhere: then nobody asks.
#pragma once

#include <array>
#include <cstdint>

#include "base/time/clock.h"

namespace agent::series {

// Thread: the detector's. Members are numbers below 64; beyond they share numbers, which only makes
// fewer moments shared.
class Moments {
 public:
  void mark(base::Instant at, uint32_t member) {
    const int64_t slot = at.ns / kSlotNs;
    Cell& cell = ring_[static_cast<size_t>(slot) % ring_.size()];
    if (cell.slot != slot) cell = {slot, 0};
    cell.members |= uint64_t{1} << (member % 64);
  }
  // Another member had a slow request in this slot or right beside it.
  bool is_shared(base::Instant at, uint32_t member) const {
    const int64_t slot = at.ns / kSlotNs;
    uint64_t members = 0;
    for (int64_t near = slot - 1; near <= slot + 1; ++near) {
      const Cell& cell = ring_[static_cast<size_t>(near) % ring_.size()];
      if (cell.slot == near) members |= cell.members;
    }
    return (members & ~(uint64_t{1} << (member % 64))) != 0;
  }

 private:
  static constexpr int64_t kSlotNs = 10'000'000;
  struct Cell {
    int64_t slot = -1;
    uint64_t members = 0;
  };
  std::array<Cell, 1024> ring_{};
};

}  // namespace agent::series
