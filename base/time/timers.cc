#include "base/time/timers.h"

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace base {

boost::asio::awaitable<void> Timers::wait_for(Duration d) {
  co_await wait_until(clock().now() + d);
}

boost::asio::awaitable<void> AsioTimers::wait_until(Instant when) {
  if (stopped_) throw boost::system::system_error(boost::asio::error::operation_aborted);
  // The clock may be a test's; the steady_timer only needs the distance.
  boost::asio::steady_timer timer(executor_);
  timer.expires_after(when - clock_.now());
  struct Registered {
    std::set<boost::asio::steady_timer*>& waiting;
    boost::asio::steady_timer* timer;
    ~Registered() { waiting.erase(timer); }
  } registered{waiting_, &timer};
  waiting_.insert(&timer);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

void AsioTimers::stop() {
  stopped_ = true;
  for (boost::asio::steady_timer* timer : waiting_) timer->cancel();
}

}  // namespace base
