#include "base/telemetry/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/core/check.h"

namespace base::telemetry {
namespace {

int64_t lower_bound_ns(size_t bucket) {
  return bucket == 0 ? 0 : histogram_upper_bound_ns(bucket - 1);
}

Duration middle_of(size_t bucket) {
  const int64_t lower = lower_bound_ns(bucket);
  if (bucket == kHistogramBuckets - 1) return Duration(lower);
  return Duration((lower + histogram_upper_bound_ns(bucket)) / 2);
}

// How many buckets lie below the edge that is nearest to `ns`.
size_t buckets_below(int64_t ns) {
  const size_t bucket = histogram_bucket(ns);
  if (bucket == kHistogramBuckets - 1) return bucket;
  const int64_t lower = lower_bound_ns(bucket), upper = histogram_upper_bound_ns(bucket);
  return ns - lower < upper - ns ? bucket : bucket + 1;
}

}  // namespace

int64_t histogram_upper_bound_ns(size_t bucket) {
  if (bucket == 0) return int64_t{1} << kHistogramMinBits;
  if (bucket >= kHistogramBuckets - 1) return std::numeric_limits<int64_t>::max();
  const BucketPlace place = BucketPlace::nth(bucket);
  return static_cast<int64_t>(kOctaveBuckets + place.index + 1)
         << (place.group + kHistogramMinBits - kHistogramSubBits);
}

const Histogram::Counts* Histogram::find(size_t group) const {
  return where_[group] == 0 ? nullptr : &groups_[where_[group] - 1u];
}

Histogram::Counts& Histogram::open(size_t group) {
  CHECK(group < kBucketGroups);
  if (where_[group] == 0) {
    groups_.emplace_back();
    where_[group] = static_cast<uint8_t>(groups_.size());
  }
  return groups_[where_[group] - 1u];
}

void Histogram::record(Duration took, uint64_t times) {
  const int64_t ns = std::max<int64_t>(took.count(), 0);
  add(BucketPlace::of(ns), times);
  sum_ns_ += static_cast<uint64_t>(ns) * times;
}

void Histogram::add(BucketPlace place, uint64_t times) {
  if (times == 0) return;
  open(place.group)[place.index] += times;
  count_ += times;
}

uint64_t Histogram::at(BucketPlace place) const {
  const Counts* counts = find(place.group);
  return counts == nullptr ? 0 : (*counts)[place.index];
}

void Histogram::merge(const Histogram& other) {
  for (size_t group = 0; group < kBucketGroups; ++group) {
    const Counts* theirs = other.find(group);
    if (theirs == nullptr) continue;
    Counts& ours = open(group);
    for (size_t i = 0; i < kOctaveBuckets; ++i) ours[i] += (*theirs)[i];
  }
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
}

void Histogram::merge_since(const Histogram& earlier, const Histogram& later) {
  if (groups_.empty()) groups_.reserve(later.groups_.size());
  for (size_t group = 0; group < kBucketGroups; ++group) {
    const Counts* ends = later.find(group);
    if (ends == nullptr) continue;
    const Counts* begins = earlier.find(group);
    Counts& ours = open(group);
    for (size_t i = 0; i < kOctaveBuckets; ++i) {
      const uint64_t before = begins == nullptr ? 0 : (*begins)[i];
      const uint64_t since = (*ends)[i] - std::min((*ends)[i], before);
      ours[i] += since;
      count_ += since;
    }
  }
  sum_ns_ += later.sum_ns_ - std::min(later.sum_ns_, earlier.sum_ns_);
}

void Histogram::clear() {
  where_.fill(0);
  groups_.clear();
  count_ = 0;
  sum_ns_ = 0;
}

Duration Histogram::quantile(double share) const {
  if (count_ == 0) return Duration(0);
  const double exact = std::clamp(share, 0.0, 1.0) * static_cast<double>(count_);
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(std::ceil(exact)), 1, count_);
  uint64_t seen = at({kOutside, 0});
  if (seen >= rank) return middle_of(0);
  for (size_t group = 0; group < kOctaves; ++group) {
    const Counts* counts = find(group);
    if (counts == nullptr) continue;
    for (size_t i = 0; i < kOctaveBuckets; ++i) {
      seen += (*counts)[i];
      if (seen >= rank) return middle_of(BucketPlace{group, i}.bucket());
    }
  }
  return middle_of(kHistogramBuckets - 1);
}

uint64_t Histogram::count_below(Duration bound) const {
  const size_t end = buckets_below(std::max<int64_t>(bound.count(), 0));
  uint64_t below = end == 0 ? 0 : at({kOutside, 0});
  for (size_t group = 0; group < kOctaves; ++group) {
    const Counts* counts = find(group);
    if (counts == nullptr) continue;
    const size_t first = BucketPlace{group, 0}.bucket();
    if (first >= end) break;
    for (size_t i = 0; i < std::min(kOctaveBuckets, end - first); ++i) below += (*counts)[i];
  }
  return below;
}

size_t Histogram::bytes() const {
  return sizeof *this + groups_.capacity() * sizeof(Counts);
}

bool operator==(const Histogram& one, const Histogram& two) {
  if (one.count_ != two.count_ || one.sum_ns_ != two.sum_ns_) return false;
  constexpr Histogram::Counts kNone{};
  for (size_t group = 0; group < kBucketGroups; ++group) {
    const Histogram::Counts* ours = one.find(group);
    const Histogram::Counts* theirs = two.find(group);
    if ((ours == nullptr ? kNone : *ours) != (theirs == nullptr ? kNone : *theirs)) return false;
  }
  return true;
}

}  // namespace base::telemetry
