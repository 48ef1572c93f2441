#include "cli/load/latencies.h"

#include <algorithm>
#include <cmath>

namespace cli {

using base::Duration;

void Latencies::record(Duration took) {
  ++buckets_[base::telemetry::histogram_bucket(took.count())];
  ++count_;
  sum_ += took;
  longest_ = std::max(longest_, took);
}

void Latencies::merge(const Latencies& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  longest_ = std::max(longest_, other.longest_);
}

Duration Latencies::mean() const {
  return count_ == 0 ? Duration(0) : Duration(sum_.count() / static_cast<int64_t>(count_));
}

Duration Latencies::at(double quantile) const {
  if (count_ == 0) return Duration(0);
  const double exact = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_);
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(exact)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen < rank) continue;
    if (i + 1 == buckets_.size()) return longest_;
    const int64_t below = i == 0 ? 0 : base::telemetry::histogram_upper_bound_ns(i - 1);
    const int64_t middle = (below + base::telemetry::histogram_upper_bound_ns(i)) / 2;
    return std::min(Duration(middle), longest_);
  }
  return longest_;
}

}  // namespace cli
