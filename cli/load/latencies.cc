#include "cli/load/latencies.h"

#include <algorithm>

namespace cli {

using base::Duration;

void Latencies::record(Duration took) {
  histogram_.record(took);
  longest_ = std::max(longest_, took);
}

void Latencies::merge(const Latencies& other) {
  histogram_.merge(other.histogram_);
  longest_ = std::max(longest_, other.longest_);
}

Duration Latencies::mean() const {
  return count() == 0 ? Duration(0) : Duration(static_cast<int64_t>(histogram_.sum_ns() / count()));
}

Duration Latencies::at(double quantile) const {
  constexpr Duration kLastBucket(int64_t{1} << base::telemetry::kHistogramMaxBits);
  const Duration found = histogram_.quantile(quantile);
  return found >= kLastBucket ? longest_ : std::min(found, longest_);
}

}  // namespace cli
