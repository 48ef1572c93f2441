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
// a turn's own work has taken longer than the window.
//
// How much gathers in a window depends on what system calls cost the clients and backends, too, which
// differs fourfold between machines. So the window is as wide as it has to be, up to four times the
// configured one (and 1 ms): it widens where a turn gathers less than enough to be worth what a turn
// costs by itself, goes back where that brought nothing, and narrows where there is plenty or the
// worker becomes quiet. Where even the widest gathers too little (few clients, each waiting for the
// answer) it stops, trying again later and ever more rarely.
//
// A worker that is half busy may be so because clients or backends have no time left, worn down by
// being woken for every message: five times as many requests pass once they come together. Or there is
// just half a load, and a sleep would only add to its latency. A trial of 100 ms tells: it goes on
// only if more messages pass. Trials without success become ever rarer, too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time/clock.h"

namespace proxy {

// Thread: the worker's. Owner: its loop.
class Coalescing {
 public:
  void set_window(base::Duration window);  // 0: never
  bool is_on() const { return mode_ != Mode::kOff; }

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
    return is_on() ? std::max(base::Duration(0), looked + gathering_ - now) : base::Duration(0);
  }

 private:
  // Shares of the time since the last tick in which the thread had something to do.
  static constexpr double kBusy = 0.75;
  static constexpr double kQuiet = 0.60;
  static constexpr double kHalfBusy = 0.30;  // worth a trial
  static constexpr double kQuietAfterTrial = 0.45;
  static constexpr base::Duration kLasting = std::chrono::seconds(1);  // it was right to begin
  // Messages of a turn: below the first the sleep costs clients more than it saves; with the second
  // a turn's own system calls are a small part of it; the third would be enough with half the window.
  static constexpr double kWorthwhile = 12;
  static constexpr double kEnough = 40;
  static constexpr double kPlenty = 120;
  // Of what a turn gathers when the window has doubled, and of what passes in a trial.
  static constexpr double kGrowth = 1.25;
  static constexpr int kTrialTicks = 5;
  static constexpr int kWidest = 4;  // times the configured window, but by itself no more than
  static constexpr base::Duration kWidestByItself = std::chrono::milliseconds(1);
  static constexpr base::Duration kWidestHolds = std::chrono::seconds(1);
  static constexpr int kPoorTicks = 2;  // in a row, and it stops

  enum class Mode : uint8_t { kOff, kTrial, kOn };
  struct Tick {
    double share = 0;       // busy
    double gathered = 0;    // messages of a turn
    double per_second = 0;  // messages
  };
  // After something failed: 1 s, 2 s, … 16 s.
  struct Rest {
    base::Instant until;
    base::Duration next = std::chrono::seconds(1);
    void after_failure(base::Instant now);
  };

  void begin(Mode mode, base::Instant now);
  void on_trial(base::Instant now, const Tick& tick);
  void on_busy(base::Instant now, const Tick& tick);
  void adapt(base::Instant now, double gathered);
  void narrow(base::Instant now);
  base::Duration widest() const {
    return std::max(window_, std::min(kWidest * window_, kWidestByItself));
  }

  base::Duration window_{0};  // configured
  Mode mode_ = Mode::kOff;
  base::Instant ticked_;
  Work before_;
  Rest busy_rest_;
  Rest trial_rest_;

  // While it is on:
  base::Instant on_since_;
  bool by_trial_ = false;
  base::Duration gathering_{0};  // the window, as it is now
  base::Duration widest_{0};     // a wider one was of no use lately
  base::Instant widest_until_;
  std::optional<double> gathered_before_;  // by a turn, before the window was widened a tick ago
  int poor_ = 0;                           // ticks that gathered too little, in a row
  int trial_ticks_ = 0;
  double without_ = 0;  // messages a second before the trial
  double with_ = 0;     // the most of a tick of it
};

}  // namespace proxy
