#include "base/time/timers.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace base {

boost::asio::awaitable<void> Timers::wait_for(Duration d) { co_await wait_until(clock().now() + d); }

boost::asio::awaitable<void> AsioTimers::wait_until(Instant when) {
  // The clock may be a test's; the steady_timer only needs the distance.
  boost::asio::steady_timer timer(executor_);
  timer.expires_after(when - clock_.now());
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace base
