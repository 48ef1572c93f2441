// Latencies in the telemetry segment: one histogram per backend and kind of request, by one writer.
//
// A full histogram is 13 KiB, and with every backend and kind there would be 16 MiB per worker, most
// of it zero: a backend's latencies lie in some ten octaves. So a histogram is a list of numbers, one
// per octave, of groups of 64 counts in a store that all histograms of the worker share; an octave
// gets a group at its first count. Recording is three additions' worth: find the number, count, add
// to the sum. A reader finds the number or zero; a group is never moved or given back.
//
// The store's place in the file is as large as it may ever get, without pages behind: the writer has
// them reserved 64 KiB at a time, before it touches them. When the file system has none left, what
// would be the first of its octave is counted as lost, and asked for again some time later.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/telemetry/cells.h"
#include "base/telemetry/histogram.h"

namespace base::telemetry {

// What a histogram is about: an operation of clients, or the worker's own reads of the fence record.
class LatencyKind {
 public:
  static constexpr size_t kCount = kOperationCount + 1;

  constexpr LatencyKind(Operation operation) : index_(static_cast<size_t>(operation)) {}
  static constexpr LatencyKind fence() { return LatencyKind(kOperationCount); }
  static constexpr LatencyKind nth(size_t index) { return LatencyKind(index); }

  constexpr size_t index() const { return index_; }
  constexpr bool is_fence() const { return index_ == kOperationCount; }
  Leg leg() const;

 private:
  explicit constexpr LatencyKind(size_t index) : index_(index) {}
  size_t index_;
};

struct alignas(64) LatencyCells {
  Cell sum_ns;
  std::array<std::atomic<uint16_t>, kBucketGroups> groups;  // in the worker's store; 0: none yet
};
static_assert(sizeof(LatencyCells) == 64, "what finds a group is one cache line");

struct alignas(64) LatencyGroup {
  std::array<Cell, kOctaveBuckets> counts;
};

inline constexpr size_t kGroupsReservedAtOnce = 128;
static_assert(sizeof(LatencyGroup) * kGroupsReservedAtOnce == 65536);
// Rounded up to what is reserved at once. Group 0 is nobody's: its first count is of what was lost.
constexpr size_t most_latency_groups(size_t backends) {
  const size_t all = 1 + backends * LatencyKind::kCount * kBucketGroups;
  return (all + kGroupsReservedAtOnce - 1) / kGroupsReservedAtOnce * kGroupsReservedAtOnce;
}

// Thread: the worker's. Owner: the segment's writer, or a test.
class LatencyWriter {
 public:
  // Where the store lies in a file. `fd` < 0: in memory that is there.
  struct Backing {
    int fd = -1;
    int64_t offset = 0;
  };
  // `reserved` of `most` groups have memory behind them; both are multiples of kGroupsReservedAtOnce.
  LatencyWriter(LatencyGroup* store, size_t reserved, size_t most, Backing backing)
      : store_(store), reserved_(reserved), most_(most), backing_(backing) {}

  void record(LatencyCells& cells, int64_t ns) {
    const BucketPlace place = BucketPlace::of(ns);
    size_t group = cells.groups[place.group].load(std::memory_order_relaxed);
    if (group == 0) [[unlikely]] {
      group = take_group(cells.groups[place.group]);
      if (group == 0) return store_[0].counts[0].add();
    }
    store_[group].counts[place.index].add();
    cells.sum_ns.add(static_cast<uint64_t>(std::max<int64_t>(ns, 0)));
  }
  size_t groups() const { return used_; }

 private:
  // After a refusal so many counts are lost without asking.
  static constexpr uint32_t kPatience = 1u << 16;

  size_t take_group(std::atomic<uint16_t>& number);
  bool reserve_more();

  LatencyGroup* store_;
  size_t used_ = 1;
  size_t reserved_, most_;
  Backing backing_;
  uint32_t patience_ = 0;
};

// Adds what a worker has counted; `store` has `most` groups.
void add_latencies(const LatencyCells& cells, const LatencyGroup* store, size_t most,
                   Histogram& to);

}  // namespace base::telemetry
