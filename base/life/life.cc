#include "base/life/life.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>
#include <cstdio>
#include <cstdlib>

#include "base/core/check.h"

namespace base {

Gate::~Gate() {
  CHECK(inside_ == 0);
}

boost::asio::awaitable<bool> Gate::wait_empty(Timers& timers, Instant deadline) {
  while (inside_ > 0 && timers.clock().now() < deadline) co_await timers.wait_for(1ms);
  co_return inside_ == 0;
}

void spawn(const boost::asio::any_io_executor& executor, Gate& gate, const char* name,
           boost::asio::awaitable<void> work) {
  if (gate.closed_) return;
  ++gate.inside_;
  boost::asio::co_spawn(executor, std::move(work), [&gate, name](std::exception_ptr failure) {
    --gate.inside_;
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      if (e.code() == boost::asio::error::operation_aborted) return;
      std::fprintf(stderr, "coroutine %s: %s\n", name, e.what());
    } catch (const std::exception& e) {
      std::fprintf(stderr, "coroutine %s: %s\n", name, e.what());
    }
    std::abort();
  });
}

void StopStack::push(std::string name, Stop stop) {
  entries_.push_back({std::move(name), std::move(stop)});
}

boost::asio::awaitable<void> StopStack::stop_all() {
  while (!entries_.empty()) {
    Entry entry = std::move(entries_.back());
    entries_.pop_back();
    co_await entry.stop();
  }
}

}  // namespace base
