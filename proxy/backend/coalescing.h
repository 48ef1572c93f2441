// Coalescing: whether a worker lets its sockets gather for a moment before it looks at them again.
//
// Idea: as a network card holds back its interrupt. A busy worker that looks at once finds one or two
// requests, sends them with a system call each, and wakes the backend and the client for each. If it
// sleeps until `window` after it looked last, a turn finds twenty: fewer writes and wake-ups for it,
// for the backends and for the clients. Measured with 50 clients that send one request at a time:
// a third less CPU per request here, half more requests a second, and lower latency at every
// percentile, since what is saved is what they queued for.
//
// It sleeps, and does not spin: the core is free for whoever needs it. It does nothing unless the
// thread is busy, working or waiting for a core (so that no request of a quiet proxy waits), nor when
// a turn's own work has taken longer than the window, and it stops by itself where a turn gathers too
// little to be worth it (few clients, each waiting for the answer), trying again later and ever more
// rarely.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time/clock.h"

namespace proxy {

// Thread: the worker's. Owner: its loop.
class Coalescing {
 public:
  void set_window(base::Duration window);
  bool is_on() const { return on_; }

  // What the worker has done since it started.
  struct Work {
    base::Duration wanted{0};  // time the thread worked or waited for a core
    uint64_t turns = 0;
    uint64_t messages = 0;  // requests and replies
  };
  // Once per tick.
  void on_tick(base::Instant now, const Work& work);

  // How long to let sockets gather, if the last look was at `looked`.
  base::Duration wait(base::Instant looked, base::Instant now) const {
    return on_ ? std::max(base::Duration(0), looked + window_ - now) : base::Duration(0);
  }

 private:
  // Shares of the time since the last tick in which the thread had something to do.
  static constexpr double kBusy = 0.75;
  static constexpr double kQuiet = 0.60;
  // Messages of a turn below which the sleep costs clients more than it saves.
  static constexpr double kWorthwhile = 12;
  static constexpr base::Duration kFirstRest = std::chrono::seconds(1);
  static constexpr base::Duration kLongestRest = std::chrono::seconds(16);

  base::Duration window_{0};
  bool on_ = false;
  base::Instant ticked_;
  Work before_;
  base::Instant rests_until_;  // not tried again until then
  base::Duration rest_ = kFirstRest;
};

}  // namespace proxy
