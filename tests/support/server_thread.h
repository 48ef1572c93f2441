// A thread that runs an io_context, for tests of servers: start() and stop() of the server happen
// on that thread through run(), the test's blocking client stays on its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include "base/time/timers.h"

namespace test {

class ServerThread {
 public:
  ServerThread() : guard_(io_.get_executor()), timers_(io_.get_executor(), clock_) {
    thread_ = std::thread([this] { io_.run(); });
  }
  ~ServerThread() {
    guard_.reset();
    io_.stop();
    thread_.join();
  }
  boost::asio::any_io_executor executor() { return io_.get_executor(); }
  base::AsioTimers& timers() { return timers_; }
  // Runs `work` on the thread and waits for its end.
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    return boost::asio::co_spawn(io_, std::move(work), boost::asio::use_future).get();
  }

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  base::SystemClock clock_;
  base::AsioTimers timers_;
  std::thread thread_;
};

}  // namespace test
