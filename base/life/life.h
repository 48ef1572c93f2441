// Life and death of concurrent work: spawn, Gate and StopStack.
//
// Every coroutine is started by spawn(), which holds a Gate open while it runs, so that nobody is
// destroyed under a running coroutine: close the gate, wait until it is empty, then destroy. An
// exception that leaves a spawned coroutine is a bug and stops the process with the coroutine's name
// (asio's `detached` would lose it); a cancellation is a normal end.
//
// Stop is the mirror of start: each thing that starts pushes its own stop onto the StopStack.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/time/timers.h"

namespace base {

// Thread: one executor's. Owner: the object whose coroutines it counts.
// Invariant: inside() is the number of running coroutines that entered.
class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();  // CHECKs that it is empty

  bool closed() const { return closed_; }
  void close() { closed_ = true; }
  int inside() const { return inside_; }
  // True when everything inside has left by `deadline`.
  boost::asio::awaitable<bool> wait_empty(Timers& timers, Instant deadline);

 private:
  friend void spawn(const boost::asio::any_io_executor&, Gate&, const char*,
                    boost::asio::awaitable<void>);
  bool closed_ = false;
  int inside_ = 0;
};

// Runs `work` on `executor`. Nothing happens if the gate is closed. `name` is a literal.
void spawn(const boost::asio::any_io_executor& executor, Gate& gate, const char* name,
           boost::asio::awaitable<void> work);

// Runs the pushed stops in reverse order, each awaited in turn. Call stop_all once.
class StopStack {
 public:
  using Stop = std::function<boost::asio::awaitable<void>()>;
  void push(std::string name, Stop stop);
  boost::asio::awaitable<void> stop_all();

 private:
  struct Entry {
    std::string name;
    Stop stop;
  };
  std::vector<Entry> entries_;
};

}  // namespace base
