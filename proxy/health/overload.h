// Overload: whether a backend's queue has grown too old, and how many requests it may then hold.
//
// Idea, after CoDel: a queue that empties now and then is a burst and does no harm; one in which
// *every* request waits longer than the target, for a whole interval, only adds delay. From then on a
// new request is taken only while no more wait than the backend answers within one target's time
// (Little's law, measured each interval), so that what is taken is answered in time and the rest hears so
// at once. A backend that answers nothing keeps kFewest, enough to notice that it is back. The bound
// rises while replies are in time, and goes when half of it is enough.
//
// The newest requests are turned away: the oldest have waited for most of what they will wait, and
// what a backend was sent cannot be taken back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/time/clock.h"

namespace proxy::health {

// Thread: one. Owner: the link.
class Overload {
 public:
  static constexpr size_t kFewest = 16;
  static constexpr size_t kUnlimited = SIZE_MAX;

  // Zero: never overloaded.
  void set_target(base::Duration target) { target_ = target; }
  base::Duration target() const { return target_; }
  // It is about another connection from here on.
  void reset() {
    most_ = kUnlimited;
    in_time_ = true;
  }

  bool is_on() const { return most_ != kUnlimited; }
  // How many requests may wait.
  size_t most() const { return most_; }

  // A reply to a request that was sent `waited` ago.
  void on_reply(base::Duration waited) {
    ++replies_;
    if (waited <= target_) in_time_ = true;
  }

  // Once per tick. `oldest`: how long the oldest request has waited so far; `waiting`: how many do.
  void on_tick(base::Instant now, base::Duration oldest, size_t waiting) {
    const bool is_young = !is_on() && (waiting == 0 || in_time_ || oldest <= target_);
    if (target_ == base::Duration(0) || is_young) {
      most_ = kUnlimited;
      begin_interval(now);
    } else if (now - began_ >= interval()) {
      most_ = next_most(now - began_);
      if (in_time_ && waiting * 2 < most_) most_ = kUnlimited;
      begin_interval(now);
    }
  }

 private:
  base::Duration interval() const {
    return std::max<base::Duration>(target_ / 2, std::chrono::milliseconds(50));
  }
  size_t next_most(base::Duration took) const {
    const auto per_target =
        static_cast<size_t>(static_cast<double>(replies_) * static_cast<double>(target_.count()) /
                            static_cast<double>(took.count()));
    const size_t floor = is_on() && in_time_ ? most_ + most_ / 4 : kFewest;
    return std::max(floor, per_target);
  }
  void begin_interval(base::Instant now) {
    began_ = now;
    replies_ = 0;
    in_time_ = false;
  }

  base::Duration target_{0};
  size_t most_ = kUnlimited;
  // Of the present interval.
  base::Instant began_;
  uint64_t replies_ = 0;
  bool in_time_ = true;  // a reply was in time
};

}  // namespace proxy::health
