#include "base/telemetry/latency.h"

#include <fcntl.h>

#include <cerrno>

namespace base::telemetry {

static_assert(std::atomic<uint16_t>::is_always_lock_free, "read across processes");

Leg LatencyKind::leg() const {
  if (is_fence()) return Leg::kFence;
  switch (static_cast<Operation>(index_)) {
    case Operation::kGet:
    case Operation::kGat:
    case Operation::kOther:  // of what goes to a backend: a meta debug
      return Leg::kRead;
    default:
      return Leg::kWrite;
  }
}

size_t LatencyWriter::take_group(std::atomic<uint16_t>& number) {
  if (patience_ > 0) {
    --patience_;
    return 0;
  }
  if (used_ == reserved_ && !reserve_more()) {
    patience_ = kPatience;
    return 0;
  }
  number.store(static_cast<uint16_t>(used_), std::memory_order_release);
  return used_++;
}

bool LatencyWriter::reserve_more() {
  if (reserved_ == most_) return false;
  if (backing_.fd >= 0) {
    const auto begin = static_cast<off_t>(reserved_ * sizeof(LatencyGroup)) + backing_.offset;
    int failed = EINTR;
    while (failed == EINTR) {
      failed = ::posix_fallocate(backing_.fd, begin,
                                 off_t{kGroupsReservedAtOnce * sizeof(LatencyGroup)});
    }
    if (failed != 0) return false;
  }
  reserved_ += kGroupsReservedAtOnce;
  return true;
}

void add_latencies(const LatencyCells& cells, const LatencyGroup* store, size_t most,
                   Histogram& to) {
  for (size_t i = 0; i < kBucketGroups; ++i) {
    const size_t group = cells.groups[i].load(std::memory_order_acquire);
    if (group == 0 || group >= most) continue;
    to.add_group(i, [&](size_t k) { return store[group].counts[k].get(); });
  }
  to.add_sum_ns(cells.sum_ns.get());
}

}  // namespace base::telemetry
