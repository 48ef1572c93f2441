// Timers: how coroutines wait. AsioTimers is the real one; tests use ManualTimers
// (tests/support/manual_time.h), which a test advances by hand.
//
// Loops that look at something again and again wait for beats, the multiples of their period on the
// clock: so those of a like pace share one wake-up of the thread, which costs more than what most of
// them do then.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>

#include "base/time/clock.h"

namespace base {

// The first multiple of `period` that is not before `earliest`.
Instant next_beat(Instant earliest, Duration period);

// Rings once, unless it is destroyed before. Thread: its Timers'. Owner: who set it.
class Alarm {
 public:
  virtual ~Alarm() = default;
};

// Thread: one executor's. Owner: main or test.
class Timers {
 public:
  virtual ~Timers() = default;
  // Returns at `when`, or at once if that has passed. Throws only asio's cancellation.
  virtual boost::asio::awaitable<void> wait_until(Instant when) = 0;
  // Calls `ring` at `when`, never from within this call: the deadline of something that is awaited.
  // To race a wait against it would cost two coroutines and an exception each time.
  virtual std::unique_ptr<Alarm> alarm(Instant when, std::function<void()> ring) = 0;
  virtual Clock& clock() = 0;

  // Returns after `d` by this timer's clock.
  boost::asio::awaitable<void> wait_for(Duration d);
  // Returns at the next beat; at the one after it if that is less than half a period away, so that a
  // turn that came late or took long does not make the next one hurry.
  boost::asio::awaitable<void> wait_for_beat(Duration period);
};

class AsioTimers final : public Timers {
 public:
  AsioTimers(boost::asio::any_io_executor executor, Clock& clock)
      : executor_(std::move(executor)), clock_(clock) {}
  boost::asio::awaitable<void> wait_until(Instant when) override;
  std::unique_ptr<Alarm> alarm(Instant when, std::function<void()> ring) override;
  Clock& clock() override { return clock_; }
  // Every wait, present and future, throws asio's cancellation, and every alarm rings: how the loops
  // of a process that ends are ended without waiting for their next turn.
  void stop();

 private:
  class Ringing;
  // A timer that is in waiting_ as long as it lives.
  struct Waiting : boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Waiting(AsioTimers& timers, Instant when) : timer(timers.timer_at(when)) {
      timers.waiting_.push_back(*this);
    }
    boost::asio::steady_timer timer;
  };
  boost::asio::steady_timer timer_at(Instant when) const;

  boost::asio::any_io_executor executor_;
  Clock& clock_;
  boost::intrusive::list<Waiting, boost::intrusive::constant_time_size<false>> waiting_;
  bool stopped_ = false;
};

}  // namespace base
