// Timers: how coroutines wait. AsioTimers is the real one; tests use ManualTimers
// (tests/support/manual_time.h), which a test advances by hand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>

#include "base/time/clock.h"

namespace base {

// Thread: one executor's. Owner: main or test.
class Timers {
 public:
  virtual ~Timers() = default;
  // Returns at `when`, or at once if that has passed. Throws only asio's cancellation.
  virtual boost::asio::awaitable<void> wait_until(Instant when) = 0;
  virtual Clock& clock() = 0;

  // Returns after `d` by this timer's clock.
  boost::asio::awaitable<void> wait_for(Duration d);
};

class AsioTimers final : public Timers {
 public:
  AsioTimers(boost::asio::any_io_executor executor, Clock& clock)
      : executor_(std::move(executor)), clock_(clock) {}
  boost::asio::awaitable<void> wait_until(Instant when) override;
  Clock& clock() override { return clock_; }
  // Every wait, present and future, throws asio's cancellation: how the loops of a process that
  // ends are ended without waiting for their next turn.
  void stop();

 private:
  boost::asio::any_io_executor executor_;
  Clock& clock_;
  std::set<boost::asio::steady_timer*> waiting_;
  bool stopped_ = false;
};

}  // namespace base
