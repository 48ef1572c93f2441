// Histogram: how long things took, within 0.8 %, in counts that add up exactly.
//
// Log-linear buckets, 64 per octave from 1.024 µs to 68.7 s: a bucket is at most 1/64 of its values
// wide, so its middle is at most 1/128 (0.78 %) from each of them. All histograms have the same
// buckets: those of two workers, proxies or seconds are merged by adding counts, which loses nothing,
// and the difference of two readings of a growing one is the histogram of what came between. What is
// shorter counts as 0.5 µs, what is longer as 68.7 s; the sum is of the durations as they were.
//
// Only octaves that hold something take memory (half a KiB each).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time/clock.h"

namespace base::telemetry {

inline constexpr int kHistogramMinBits = 10;  // 2^10 ns
inline constexpr int kHistogramMaxBits = 36;  // 2^36 ns
inline constexpr int kHistogramSubBits = 6;
inline constexpr size_t kOctaveBuckets = size_t{1} << kHistogramSubBits;
inline constexpr size_t kOctaves = kHistogramMaxBits - kHistogramMinBits;
// What lies outside has a group of its own, of which two are used: below and above.
inline constexpr size_t kOutside = kOctaves;
inline constexpr size_t kBucketGroups = kOctaves + 1;
// In rising order: bucket 0 is all below, the last all above.
inline constexpr size_t kHistogramBuckets = kOctaves * kOctaveBuckets + 2;

// Where a duration is counted: a group of buckets and one in it.
struct BucketPlace {
  size_t group, index;

  static constexpr BucketPlace of(int64_t ns) {
    constexpr int64_t kMin = int64_t{1} << kHistogramMinBits,
                      kMax = int64_t{1} << kHistogramMaxBits;
    if (ns < kMin) [[unlikely]]
      return {kOutside, 0};
    if (ns >= kMax) [[unlikely]]
      return {kOutside, 1};
    const auto value = static_cast<uint64_t>(ns);
    const int octave = std::bit_width(value) - 1;
    return {static_cast<size_t>(octave - kHistogramMinBits),
            (value >> (octave - kHistogramSubBits)) & (kOctaveBuckets - 1)};
  }
  // Of the nth bucket in rising order.
  static constexpr BucketPlace nth(size_t bucket) {
    if (bucket == 0) return {kOutside, 0};
    if (bucket >= kHistogramBuckets - 1) return {kOutside, 1};
    return {(bucket - 1) / kOctaveBuckets, (bucket - 1) % kOctaveBuckets};
  }
  constexpr size_t bucket() const {
    if (group == kOutside) return index == 0 ? 0 : kHistogramBuckets - 1;
    return 1 + group * kOctaveBuckets + index;
  }
};
constexpr size_t histogram_bucket(int64_t ns) {
  return BucketPlace::of(ns).bucket();
}
int64_t histogram_upper_bound_ns(size_t bucket);  // exclusive; INT64_MAX for the last

// Thread: one. A plain value.
class Histogram {
 public:
  // A negative duration counts as zero.
  void record(Duration took, uint64_t times = 1);
  // Exact, whatever the order and grouping.
  void merge(const Histogram& other);
  // Adds what came between two readings of the same. What would be less than nothing, should `earlier` be
  // none of an earlier one, counts as nothing.
  void merge_since(const Histogram& earlier, const Histogram& later);

  // As a new one; the memory is kept.
  void clear();

  uint64_t count() const { return count_; }
  uint64_t sum_ns() const { return sum_ns_; }
  // The smallest duration that at least so large a share (0 to 1) does not exceed, as the middle of
  // its bucket; beyond the last bucket, where that begins. 0 without any.
  Duration quantile(double share) const;
  // How many were shorter than `bound`, which is first rounded to the nearest edge between two buckets:
  // by 0.8 % at most.
  uint64_t count_below(Duration bound) const;

  // For those who keep the counts elsewhere. Precondition: a place that exists.
  void add(BucketPlace place, uint64_t times);
  // All of a group at once: times_of(i) in its ith bucket.
  template <class TimesOf>
  void add_group(size_t group, TimesOf times_of) {
    Counts& counts = open(group);
    for (size_t i = 0; i < kOctaveBuckets; ++i) {
      const uint64_t times = times_of(i);
      counts[i] += times;
      count_ += times;
    }
  }
  void add_sum_ns(uint64_t ns) { sum_ns_ += ns; }
  uint64_t at(BucketPlace place) const;
  size_t bytes() const;

  friend bool operator==(const Histogram& one, const Histogram& two);

 private:
  using Counts = std::array<uint64_t, kOctaveBuckets>;
  const Counts* find(size_t group) const;
  Counts& open(size_t group);

  std::array<uint8_t, kBucketGroups> where_{};  // 1 + index in groups_; 0: all zero
  std::vector<Counts> groups_;                  // in the order in which they were first needed
  uint64_t count_ = 0;                          // of all
  uint64_t sum_ns_ = 0;
};

}  // namespace base::telemetry
