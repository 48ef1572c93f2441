// RealTime: an io_context on real time, for tests that talk to real programs: runs one coroutine to its end.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>

#include "base/time/timers.h"

namespace test {

// Thread: one.
class RealTime {
 public:
  RealTime() : timers_(io_.get_executor(), clock_) {}

  boost::asio::io_context& io() { return io_; }
  base::Timers& timers() { return timers_; }
  base::Instant in(base::Duration d) const { return clock_.now() + d; }

  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> answer;
    io_.restart();
    boost::asio::co_spawn(io_, std::move(work), [&](std::exception_ptr failed, T value) {
      if (failed) std::rethrow_exception(failed);
      answer.emplace(std::move(value));
    });
    io_.run();
    return std::move(*answer);
  }

 private:
  boost::asio::io_context io_;
  base::SystemClock clock_;
  base::AsioTimers timers_;
};

}  // namespace test
