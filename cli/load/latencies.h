// Latencies: how long requests took, in the telemetry's own histogram, so that a figure of the load
// generator and one of the proxy mean the same; and the longest of them as it was.
#pragma once

#include <cstdint>

#include "base/telemetry/histogram.h"
#include "base/time/clock.h"

namespace cli {

// Thread: one. Owner: a generator thread, then the report.
class Latencies {
 public:
  void record(base::Duration took);
  void merge(const Latencies& other);

  uint64_t count() const { return histogram_.count(); }
  base::Duration mean() const;
  base::Duration longest() const { return longest_; }
  // Within 0.8 %; 0 without any. `quantile` from 0 to 1.
  base::Duration at(double quantile) const;

 private:
  base::telemetry::Histogram histogram_;
  base::Duration longest_{0};
};

}  // namespace cli
