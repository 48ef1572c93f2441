// BusyPolling: whether a worker that has nothing to do looks at its sockets again and again for a
// moment before it sleeps.
//
// Idea: halt polling, as a hypervisor does before it gives up a core. A lone client that sends one
// request at a time wakes the proxy twice for each, and a sleep and its end cost more CPU than the
// request does. To look on for the 30 us until the answer comes costs less than to sleep, and the
// client has it sooner. Where the next event is further away, or many connections keep a worker awake
// by turns, it only burns a core.
//
// So it is not believed but measured: CPU per message of some ticks without polling, then of some
// with it. It goes on only while a message costs no more than without, is measured anew every
// kHold, and a trial that failed is repeated after 1, 2, ... 16 s, or when the load is another. There is
// no trial where it cannot win: while the worker is busy or coalesces, when there are too few messages
// to tell, or when most waits are longer than polling could last. Without messages nothing is polled.
#pragma once

#include <cstdint>

#include "base/time/clock.h"
#include "proxy/config/config.h"

namespace proxy {

// Thread: the worker's. Owner: its loop.
class BusyPolling {
 public:
  // How long to look on after an event, 0: never; and whether that has to pay.
  void set_policy(base::Duration window, PollWhen when);
  // Whether it has found that to pay, or tries.
  bool is_on() const { return state_ != State::kOff; }
  // For how long after an event to look on, now.
  base::Duration window() const {
    return is_on() || when_ == PollWhen::kAlways ? window_ : base::Duration(0);
  }

  // Notes a sleep that an event has ended.
  void on_wait(base::Duration waited) {
    ++waits_;
    if (waited <= kReach * window_) ++short_waits_;
  }

  // What the worker has done since it started.
  struct Work {
    base::Duration ran{0};  // CPU time, all of it
    base::Duration wanted{
        0};                 // time it worked or waited for a core, without what it polled in vain
    uint64_t messages = 0;  // requests and replies
  };
  // Once per tick. `may_poll`: nothing else lets sockets wait.
  void on_tick(base::Instant now, const Work& work, bool may_poll);

 private:
  enum class State : uint8_t { kOff, kTrial, kOn };
  // Consecutive ticks of one state.
  struct Sample {
    int ticks = 0;
    base::Duration ran{0};
    base::Duration wanted{0};
    base::Duration passed{0};
    uint64_t messages = 0;
    double cost() const { return double(ran.count()) / double(messages); }  // ns of a message
  };
  void enter(State state);
  void look_for_a_trial(base::Instant now);
  void judge_trial(base::Instant now);
  void watch(base::Instant now);

  static constexpr int kTicks = 3;  // of a sample
  // A tick with fewer messages tells nothing.
  static constexpr uint64_t kFewest = 16;
  // A sleep includes the time to fall asleep and wake up.
  static constexpr int kReach = 2;
  static constexpr double kBusy = 0.75;  // share of the time
  // Cost beside that without polling: beyond which a trial need not be finished, and beyond which
  // polling is not gone on with.
  static constexpr double kHopeless = 1.2;
  static constexpr double kDearer = 1.05;
  static constexpr double kAnotherLoad = 2;  // times as many messages, or as few
  static constexpr base::Duration kHold = std::chrono::seconds(10);
  static constexpr base::Duration kFirstRest = std::chrono::seconds(1);
  static constexpr base::Duration kLongestRest = std::chrono::seconds(16);

  base::Duration window_{0};
  PollWhen when_ = PollWhen::kCheaper;
  State state_ = State::kOff;
  base::Instant ticked_;
  Work before_;
  Sample sample_;
  uint64_t waits_ = 0;  // of the sample
  uint64_t short_waits_ = 0;
  double cost_without_ = 0;    // ns of a message
  base::Instant on_until_;     // on: when it is measured anew
  base::Instant failed_;       // when the last trial did
  uint64_t failed_with_ = 0;   // messages of its sample without polling
  uint64_t tried_with_ = 0;    // the same of the trial that runs
  base::Instant rests_until_;  // not tried again until then
  base::Duration rest_ = kFirstRest;
};

}  // namespace proxy
