// AcceptPace: how much of a worker's time new connections may take.
//
// Idea: a storm of connections must slow itself, not the clients that are in already. A worker pays
// for what strangers cost it (to accept them, and to hear who they are) out of a balance of time. Each
// turn of the loop fills it up by a share of what the turn did for everybody else and by all the time
// that passed idle before it, so that strangers get all of a worker that has nothing else to do. While the balance is
// spent, nobody is accepted: whoever waits does so in the kernel's queue, whose length is bounded, and
// costs nothing there.
//
// A worker that has nothing else to do then rests for a small part of what strangers owe, instead of
// turning round and round; if nobody else wants it meanwhile, the debt is forgiven.
//
// Times are given; nothing here reads a clock.
#pragma once

#include <algorithm>

#include "base/time/clock.h"

namespace proxy::admission {

// Thread: one. Owner: the worker.
class AcceptPace {
 public:
  // One part in so many of the time, while there is other work. What a newcomer does after it has said
  // who it is (its first requests, its end) costs about as much again and is not counted.
  static constexpr int64_t kOneIn = 6;
  // What is owed for each part of the time that is rested for it.
  static constexpr int64_t kOwedPerRest = 16;
  static constexpr base::Duration kLeastRest = std::chrono::microseconds(10);
  static constexpr base::Duration kLeastPerTurn = std::chrono::microseconds(60);
  static constexpr base::Duration kMost = std::chrono::milliseconds(1);

  bool may_accept() const { return balance_ > base::Duration(0); }
  // When a turn has ended and nobody may be accepted: until when to rest.
  base::Instant rests_until() const {
    return ended_ + std::max(kLeastRest, -balance_ / kOwedPerRest);
  }
  // Nobody else wanted the worker while it rested; perhaps for longer, when others had the core.
  void end_rest(base::Instant now) {
    balance_ = std::clamp(balance_ + (now - ended_) * kOwedPerRest, kLeastPerTurn, kMost);
    ended_ = now;
  }
  void spend(base::Duration took) {
    balance_ -= took;
    spent_ += took;
  }
  // Whether the turn that ends changes anything; if not, its length need not be known.
  bool is_touched() const { return balance_ < kMost; }
  void end_turn(base::Instant began, base::Instant ended) {
    const base::Duration others = std::max(base::Duration(0), ended - began - spent_);
    const base::Duration earned = (began - ended_) + others / (kOneIn - 1);
    balance_ = std::min(kMost, balance_ + std::max(kLeastPerTurn, earned));
    spent_ = base::Duration(0);
    ended_ = ended;
  }

 private:
  base::Duration balance_ = kMost;
  base::Duration spent_{0};  // in this turn
  base::Instant ended_;      // the last turn that mattered
};

}  // namespace proxy::admission
