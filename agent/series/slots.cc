#include "agent/series/slots.h"

#include <algorithm>

namespace agent::series {

void SlotBuffer::add(base::Instant at, Entry entry) {
  constexpr int64_t kFirstSlack =
      100;  // links that report after the first may begin a second earlier
  constexpr auto kSize = static_cast<int64_t>(kSlots);
  const int64_t slot = at.ns / kSlotNs;
  if (next_ < 0) next_ = std::max<int64_t>(0, slot - kFirstSlack);
  if (slot < next_) {
    ++late_;
    return;
  }
  // Far ahead of everything kept: the oldest make room. Only a source that stood still does this.
  for (int64_t i = 0; i < kSize && slot - next_ >= kSize; ++i, ++next_) {
    std::vector<Entry>& oldest = ring_[static_cast<size_t>(next_) % kSlots];
    late_ += oldest.size();
    oldest.clear();
  }
  next_ = std::max(next_, slot - kSize + 1);
  newest_ = std::max(newest_, slot);
  ring_[static_cast<size_t>(slot) % kSlots].push_back(entry);
}

}  // namespace agent::series
