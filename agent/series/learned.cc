#include "agent/series/learned.h"

#include <algorithm>

namespace agent::series {

void Level::learn(double value, base::Instant at, base::Duration forget) {
  constexpr double kClip = 2;    // times the level
  constexpr double kRoom = 20;   // so that a level of zero can rise at all
  constexpr double kYoung = 30;  // seconds of plain averaging before anything is clipped
  if (last_.ns == 0) {
    // Restored levels keep what they know; a fresh one begins with what it sees.
    if (seconds_ == 0) value_ = value;
    last_ = at;
    return;
  }
  const double dt = std::clamp(base::to_seconds(at - last_), 0.0, 10.0);
  last_ = std::max(last_, at);
  if (dt == 0) return;
  const double constant = base::to_seconds(forget);
  if (seconds_ >= kYoung) value = std::min(value, kClip * value_ + kRoom);
  const double weight = dt / (dt + std::min(seconds_, constant));
  value_ += weight * (value - value_);
  seconds_ = std::min(seconds_ + dt, constant);
}

void Share::learn(double slow, double all, double clip, double least) {
  if (clip > 0) slow = std::min(slow, clip * std::max(share(), least) * all);
  slow_ += slow;
  all_ += all;
}

void Share::decay(double factor) {
  // Below the prior's weight nothing more is forgotten: the share of an idle link stays known.
  if (all_ * factor < kPriorTrials) return;
  slow_ *= factor;
  all_ *= factor;
}

void Share::lighten() {
  if (all_ <= kPriorTrials) return;
  slow_ = share() * kPriorTrials;
  all_ = kPriorTrials;
}

}  // namespace agent::series
