// Tail: how seldom a magnitude as large as this one is, in one stream of magnitudes.
//
// Idea: peaks over threshold. A running 95 % quantile is the threshold; what exceeds it is
// described by a generalised Pareto law, whose two moments are learned. Within the body a magnitude
// is no surprise; beyond it the law says how seldom it is, also for magnitudes never seen, and for
// light and heavy tails alike. One excess teaches only a little: an anomaly stays surprising when
// it comes again, and is usual only when it has come about ten times.
#pragma once

#include <cstdint>

namespace agent::score {

// Thread: its owner's. Memory: constant.
class Tail {
 public:
  // `threshold`: where the 95 % quantile probably is, in the units of the stream.
  explicit Tail(double threshold) : quantile_(threshold), mean_(0.4 * threshold) {
    square_ = 2.2 * mean_ * mean_;
    clip_ = 10 * mean_;
  }

  // -log10 of the probability of `magnitude` or more: 0 for the smallest, 1.3 at the threshold, 3
  // for one in a thousand. At most kMost.
  double surprise(double magnitude) const;
  void learn(double magnitude);

  static constexpr double kMost = 12;

 private:
  static constexpr double kBody = 0.95;

  double quantile_;
  double mean_;    // of what exceeds the threshold
  double square_;  // its second moment
  double clip_;    // an excess teaches at most so much
  double excesses_ = 0;
  double seen_ = 0;
};

}  // namespace agent::score
