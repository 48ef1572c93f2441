// FenceRecord: what the controller keeps under kFenceKey in every backend, for proxies to compare with
// what they have been told (DESIGN "Fence").
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/slots.h"

namespace base::memcache {

// Of a record: what the controller has decided. Of a proxy: what it has been told. Newer if any part
// is.
struct FenceRecord {
  Epoch epoch = 0;
  uint64_t flush_sequence = 0;

  friend bool operator==(const FenceRecord&, const FenceRecord&) = default;
  bool covers(const FenceRecord& other) const {
    return epoch >= other.epoch && flush_sequence >= other.flush_sequence;
  }
  void raise_to(const FenceRecord& other) {
    epoch = std::max(epoch, other.epoch);
    flush_sequence = std::max(flush_sequence, other.flush_sequence);
  }
};

// "<epoch> <flush sequence>"; nothing else is read, nor an epoch above kMaxEpoch.
std::string to_text(const FenceRecord& record);
std::optional<FenceRecord> parse_fence_record(std::string_view text);

}  // namespace base::memcache
