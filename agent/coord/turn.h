// Turn: coroutines that must follow one another take turns; the next begins when the holder lets
// go. And run_all: several at once, until the last has ended.
//
// A Turn is the mutex of one control thread: it only orders what suspends in the middle. First
// come, first served. Whoever holds it has a deadline on each of its own awaits, so waiting is
// bounded too.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "base/time/timers.h"

namespace agent::coord {

// Thread: one executor's. Owner: the object whose operations it orders. A holder may outlive it.
class Turn {
 public:
  explicit Turn(boost::asio::any_io_executor executor);

  // Gives the turn back when it dies.
  class Held;
  boost::asio::awaitable<Held> take();
  // The turn if it is free, or nothing (holds() is false).
  Held try_take();

 private:
  struct State;
  static void wake_next(State& state);
  std::shared_ptr<State> state_;
};

class Turn::Held {
 public:
  Held() = default;  // holds nothing
  explicit Held(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Held(Held&&) noexcept = default;
  Held& operator=(Held&&) = delete;
  ~Held();
  bool holds() const { return state_ != nullptr; }

 private:
  std::shared_ptr<State> state_;
};

// Runs all at once on `executor` and returns when every one has ended. They must not throw.
boost::asio::awaitable<void> run_all(boost::asio::any_io_executor executor,
                                     std::vector<boost::asio::awaitable<void>> works);

// A flag that coroutines wait for: notify() wakes all who wait now.
// Thread: one executor's.
class Signal {
 public:
  explicit Signal(boost::asio::any_io_executor executor);
  ~Signal();
  void notify();
  boost::asio::awaitable<void> wait();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Returns when `until` has come, also when the wait is cancelled: for `||` beside something else, whose
// rule is that a side that throws does not end the whole.
boost::asio::awaitable<void> nap(base::Timers& timers, base::Instant until);

// The turn, or nothing (holds() is false) when it did not come by `until`.
boost::asio::awaitable<Turn::Held> take_by(Turn& turn, base::Timers& timers, base::Instant until);

// Until notified or `until`, whichever is first. The caller looks at its gate afterwards.
boost::asio::awaitable<void> wait_signal(Signal& signal, base::Timers& timers, base::Instant until);

}  // namespace agent::coord
