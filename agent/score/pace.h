// Pace: the usual time between the rows of a series, learned from the rows.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace agent::score {

// Thread: its owner's. The median of sixteen gaps, taken again each time they are all new: a series
// that changes its pace for good is followed, one that stutters is not.
class Pace {
 public:
  // True when the step has changed by more than a tenth.
  bool add(double seconds) {
    if (seen_++ == 0) {
      last_ = seconds;
      return false;
    }
    const double gap = seconds - last_;
    last_ = seconds;
    if (!(gap > 0)) return false;
    gaps_[count_++] = gap;
    if (count_ < gaps_.size()) return false;
    count_ = 0;
    std::array<double, kGaps> sorted = gaps_;
    std::nth_element(sorted.begin(), sorted.begin() + kGaps / 2, sorted.end());
    const double median = sorted[kGaps / 2];
    // Two medians that agree: one strange stretch changes nothing.
    const bool agrees = std::fabs(median - candidate_) <= 0.1 * median;
    candidate_ = median;
    if (step_ > 0 && (!agrees || std::fabs(median - step_) <= 0.1 * step_)) return false;
    step_ = median;
    return true;
  }
  double step() const { return step_; }  // in seconds; 0: not known yet

 private:
  static constexpr size_t kGaps = 16;
  std::array<double, kGaps> gaps_{};
  size_t count_ = 0;
  size_t seen_ = 0;
  double last_ = 0;
  double candidate_ = 0;
  double step_ = 0;
};

}  // namespace agent::score
