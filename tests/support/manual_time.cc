#include "tests/support/manual_time.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace test {

boost::asio::awaitable<void> ManualTimers::wait_until(base::Instant when) {
  if (when <= clock_.now()) co_return;
  auto timer = std::make_shared<boost::asio::steady_timer>(io_);
  timer->expires_at(std::chrono::steady_clock::time_point::max());
  sleepers_.emplace(when.ns, timer);
  boost::system::error_code woken;  // waking is a cancel of the never-expiring timer
  co_await timer->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
  // A cancelled coroutine is woken before its time; it must not carry on as if it had slept.
  if (clock_.now() < when) {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
  }
}

void ManualTimers::run_ready() {
  io_.restart();
  while (io_.poll_one() > 0) {
  }
}

void ManualTimers::run_for(base::Duration d) {
  const base::Instant end = clock_.now() + d;
  run_ready();
  while (!sleepers_.empty() && sleepers_.begin()->first <= end.ns) {
    const auto [when, sleeper] = *sleepers_.begin();
    sleepers_.erase(sleepers_.begin());
    if (when > clock_.now().ns) clock_.set(base::Instant{when});
    if (const auto timer = sleeper.lock()) timer->cancel();
    run_ready();
  }
  clock_.set(end);
  run_ready();
}

}  // namespace test
