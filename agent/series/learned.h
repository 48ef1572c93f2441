// What is usual: a learned level and a learned share, both with a memory that trouble cannot teach.
//
// Idea: slow forgetting (half an hour by default) and clipped learning. A value far above the usual
// teaches only a few times the usual, so that an hour-long fault, found or not, hardly moves what
// it is compared with; a lasting new normal is learned in the end. Young memories learn fast: at
// first they are plain averages.
#pragma once

#include "base/time/clock.h"

namespace agent::series {

// The usual value of a gauge. Thread: its owner's. Invariant: value() >= 0.
class Level {
 public:
  Level() = default;
  Level(double value, double seconds) : value_(value), seconds_(seconds) {}

  // `forget`: the time constant. Values count for the time since the previous one, at most 10 s.
  void learn(double value, base::Instant at, base::Duration forget);

  double value() const { return value_; }
  double seconds() const { return seconds_; }  // how much time it has learned from
  base::Instant last() const { return last_; }

 private:
  double value_ = 0;
  double seconds_ = 0;
  base::Instant last_;
};

// The usual share of slow requests. Starts from a prior worth a few hundred requests.
class Share {
 public:
  Share() = default;
  // As slow() and all() were; `all` is positive.
  Share(double slow, double all) : slow_(slow), all_(all) {}

  // `clip` <= 0: not clipped.
  void learn(double slow, double all, double clip, double least);
  void decay(double factor);  // once per second: exp(-1 s / forget)
  // Keeps the share but makes it light, so that the next seconds outweigh it.
  void lighten();

  double share() const { return slow_ / all_; }
  double slow() const { return slow_; }
  double all() const { return all_; }

 private:
  static constexpr double kPriorTrials = 400;
  static constexpr double kPriorShare = 0.002;
  double slow_ = kPriorTrials * kPriorShare;
  double all_ = kPriorTrials;
};

}  // namespace agent::series
