// Loop: one worker's event loop. A plain epoll state machine (STYLE §12), no coroutine and no
// allocation per event.
//
// A turn: wait, read the clock once, hand out readiness, run posted functions, tick every kTick, and
// end the turn, in which everything gathered is sent. The loop turns at least every kTick, so the
// worker's heartbeat is fresh whenever it is not stuck. A busy loop lets its sockets gather for a
// moment between two turns (coalescing.h); mail ends that sleep at once. One with a few clients that
// wait for each answer may look on for a moment before it sleeps (busy_polling.h).
//
// Sources are level-triggered. A source that goes away inside a turn must stay allocated until the
// turn has ended (Turns::end_turn), because its readiness may be in the batch already.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/clock.h"
#include "base/time/thread_time.h"
#include "proxy/backend/busy_polling.h"
#include "proxy/backend/coalescing.h"
#include "proxy/config/config.h"

namespace proxy {

inline constexpr base::Duration kTick = std::chrono::milliseconds(20);

// Thread: the worker's, but for post() and stop(). Owner: the worker.
class Loop {
 public:
  class Source {
   public:
    virtual ~Source() = default;
    virtual void on_ready(uint32_t events) = 0;
  };
  class Turns {
   public:
    virtual ~Turns() = default;
    virtual void begin_turn(base::Instant now) = 0;
    virtual void tick(base::Instant now) = 0;
    virtual void end_turn() = 0;
    // More sources may be ready than a turn takes: what must not wait for its place among them is
    // looked at first.
    virtual void begin_crowded() = 0;
    // Requests and replies taken so far.
    virtual uint64_t messages() const = 0;
  };

  static base::Result<std::unique_ptr<Loop>> create(base::Clock& clock);

  // kExhausted when the kernel refuses another watch.
  base::Result<> watch(int fd, Source& source, uint32_t events);
  void change(int fd, Source& source, uint32_t events);
  void forget(int fd);
  void set_policy(const LoopPolicy& policy);

  // Runs `work` on the worker at the start of its next turn, before what sockets have brought: under
  // load there may be many turns before the wake-up itself is among the events. Thread: any.
  void post(std::function<void()> work);
  void run(Turns& turns);
  // The next turn begins by then. Thread: the worker's.
  void wake_by(base::Instant at) { wake_by_ = at; }
  // What the thread has worked and waited for a core, as of the tick at hand. Thread: the worker's.
  const base::ThreadTime::Spent& spent() const { return spent_; }
  // One turn without waiting and without a tick, for whoever drives a worker by hand.
  void turn(Turns& turns);
  void stop();

 private:
  Loop(base::Clock& clock, base::net::UniqueFd epoll, base::net::UniqueFd wake)
      : clock_(clock), epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  int wait(std::span<epoll_event> events, base::Instant next_tick);
  int wait_until(std::span<epoll_event> events, base::Instant now, base::Instant next_tick);
  void let_gather(base::Instant now);
  void take(Turns& turns, std::span<const epoll_event> events);
  void run_posted();
  void forget_wake_ups();

  base::Clock& clock_;
  base::net::UniqueFd epoll_;
  base::net::UniqueFd wake_;
  bool stopping_ = false;
  LoopPolicy policy_;
  Coalescing coalescing_;
  BusyPolling polling_;
  uint64_t turns_ = 0;
  base::Instant looked_;       // when the last turn began
  base::Instant fell_asleep_;  // 0: the last events were there at once
  base::Duration polled_{0};   // busy polling without finding anything, which is no work
  base::ThreadTime::Spent spent_;
  base::Instant last_event_;              // when the last turn began that had any
  std::optional<base::Instant> wake_by_;  // this once
  std::mutex mutex_;
  std::atomic<bool> has_mail_{false};
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
};

}  // namespace proxy
