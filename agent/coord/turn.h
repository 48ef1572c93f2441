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

namespace agent::coord {

// Thread: one executor's. Owner: the object whose operations it orders. A holder may outlive it.
class Turn {
 public:
  explicit Turn(boost::asio::any_io_executor executor);

  // Gives the turn back when it dies.
  class Held;
  boost::asio::awaitable<Held> take();

 private:
  struct State;
  static void wake_next(State& state);
  std::shared_ptr<State> state_;
};

class Turn::Held {
 public:
  explicit Held(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Held(Held&&) noexcept = default;
  Held& operator=(Held&&) = delete;
  ~Held();

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

}  // namespace agent::coord
