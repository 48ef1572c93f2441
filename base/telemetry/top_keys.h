// TopKeys: the sketches of all workers and windows, put together by a reader.
//
// Space-saving sketches add up: a key's count is the sum of its counts where it is. It may be too high
// by the sum of its errors there, and too low by the sum of the smallest counts of the full sketches
// where it is not (it may have been in them and left). What is counted are samples; times `one_in` they are requests, give or take
// the scatter of sampling: a count of n is exact to within about 2 * sqrt(n) nineteen times in twenty.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/telemetry/detail.h"

namespace base::telemetry {

struct TopKey {
  ShownKey key;
  uint64_t samples = 0;
  uint64_t at_most_too_high = 0;  // of samples: what it may have inherited
  uint64_t at_most_too_low = 0;   // of samples: what sketches that lost it may have forgotten
  uint64_t misses = 0, writes = 0, bytes = 0;
  double per_second = 0;  // requests
};

// Thread: one. Plain values: copied from the segment while the worker's sequence stands still.
class TopKeys {
 public:
  // A worker's part; `heartbeat_ns`: of that worker, the time up to which it counted.
  void add(const DetailBlock& detail, uint64_t heartbeat_ns);
  void add(const TopKeys& part);

  uint64_t samples() const { return samples_; }
  // The busiest first, of one cache or (0) of all.
  std::vector<TopKey> busiest(size_t most, uint32_t cache = 0) const;
  // The busiest key's share of all samples, with what may be too high taken off; 0 without samples.
  double largest_share() const;

 private:
  struct Sum {
    TopKey total;
    uint64_t floors_where_present = 0;
  };
  void add_window(const KeyWindowCells& window, double requests_per_second_each);

  std::map<std::pair<uint32_t, uint64_t>, Sum> keys_;  // by cache and hash
  uint64_t samples_ = 0;
  uint64_t floors_ = 0;  // of all sketches: what a key may have had where it is not
};

}  // namespace base::telemetry
