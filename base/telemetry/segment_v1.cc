#include "base/telemetry/segment_v1.h"

namespace base::telemetry::v1 {
namespace {

// What the proxies that are out there have in memory.
static_assert(sizeof(SegmentHeader) == 3328);
static_assert(sizeof(BackendCounters) == 88);
static_assert(sizeof(WorkerCounters) == 256);
static_assert(sizeof(BackendCells) == 26784);
static_assert(sizeof(ClientCells) == 48 && sizeof(NewcomerCells) == 32);
static_assert(sizeof(WorkerBlock) == 1943936);

// Half of an old bucket's count to each of the buckets in its place: whatever the count grows to, neither
// half shrinks, so that differences of two readings are right.
void fold(size_t bucket, uint64_t count, Histogram& to) {
  if (bucket == 0) return to.add(BucketPlace::nth(0), count);
  if (bucket == kBuckets - 1) return to.add(BucketPlace::of(int64_t{1} << kMaxBits), count);
  const size_t octave = (bucket - 1) >> kSubBits;
  const size_t first = ((bucket - 1) & ((1u << kSubBits) - 1)) * 2;
  to.add({octave, first}, count / 2);
  to.add({octave, first + 1}, count - count / 2);
}

}  // namespace

static_assert(kMinBits == kHistogramMinBits && kSubBits + 1 == kHistogramSubBits,
              "an octave's number is the same, and two buckets lie in the place of one");

size_t segment_size(uint32_t workers) {
  return sizeof(SegmentHeader) + size_t{workers} * sizeof(WorkerBlock);
}

const WorkerBlock& worker_in(const void* memory, uint32_t index) {
  const char* blocks = static_cast<const char*>(memory) + sizeof(SegmentHeader);
  return reinterpret_cast<const WorkerBlock*>(blocks)[index];
}

void add_latencies(const BackendCells& cells, LatencyKind kind, Histogram& to) {
  const auto leg = static_cast<size_t>(kind.leg());
  const bool shown = kind.is_fence() || kind.index() == LatencyKind(Operation::kGet).index() ||
                     kind.index() == LatencyKind(Operation::kSet).index();
  if (!shown) return;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const uint64_t count = cells.latency[leg][bucket].get();
    if (count != 0) fold(bucket, count, to);
  }
  to.add_sum_ns(cells.latency_sum_ns[leg].get());
}

const DetailBlock& no_details() {
  static const DetailBlock kNone{};
  return kNone;
}

}  // namespace base::telemetry::v1
