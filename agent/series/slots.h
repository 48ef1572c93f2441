// Slot buffer: what many links say about the same 10 ms, put together although they say it in turn.
//
// Each proxy's slots arrive in batches, one link after the other, so a slot is complete only some
// time after it ended. A ring as long as the telemetry segment's keeps the entries until take()
// hands out, in order, every slot older than the time given. Entries of a slot that has been handed
// out already are late: they are counted and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time/clock.h"

namespace agent::series {

// Thread: its owner's. Memory: kSlots vectors that keep their capacity.
class SlotBuffer {
 public:
  static constexpr int64_t kSlotNs = 10'000'000;
  static constexpr size_t kSlots = 1024;

  struct Entry {
    uint32_t link = 0;
    float slow = 0;
    float all = 0;
  };

  SlotBuffer() : ring_(kSlots) {}
  void add(base::Instant at, Entry entry);

  // Calls use(slot's begin, entries) for every slot that has entries and began before `until`.
  template <class Use>
  void take(base::Instant until, Use use) {
    const int64_t end = until.ns / kSlotNs;
    for (; next_ < end && next_ <= newest_; ++next_) {
      std::vector<Entry>& entries = ring_[static_cast<size_t>(next_) % kSlots];
      if (entries.empty()) continue;
      use(base::Instant{next_ * kSlotNs}, static_cast<const std::vector<Entry>&>(entries));
      entries.clear();
    }
    if (next_ < end) next_ = end;
  }

  uint64_t late() const { return late_; }

 private:
  std::vector<std::vector<Entry>> ring_;
  int64_t next_ = -1;    // the oldest slot not handed out; -1: nothing seen yet
  int64_t newest_ = -1;  // the newest slot with entries
  uint64_t late_ = 0;
};

}  // namespace agent::series
