// Latencies: how long requests took, in the buckets of the telemetry segment (1.6 % wide), so that a
// figure of the load generator and one of the proxy mean the same. Fixed memory; merged exactly.
#pragma once

#include <array>
#include <cstdint>

#include "base/telemetry/segment.h"
#include "base/time/clock.h"

namespace cli {

// Thread: one. Owner: a generator thread, then the report.
class Latencies {
 public:
  void record(base::Duration took);
  void merge(const Latencies& other);

  uint64_t count() const { return count_; }
  base::Duration mean() const;
  base::Duration longest() const { return longest_; }
  // The middle of the bucket in which the quantile lies; 0 without any. `quantile` from 0 to 1.
  base::Duration at(double quantile) const;

 private:
  std::array<uint64_t, base::telemetry::kHistogramBuckets> buckets_{};
  uint64_t count_ = 0;
  base::Duration sum_{0}, longest_{0};
};

}  // namespace cli
