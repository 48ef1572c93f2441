#include "base/time/timers.h"

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace base {
namespace {

// What ends within so long of each other ends together: timers for the same instant are set a few
// microseconds apart.
constexpr Duration kTogether = 100us;

}  // namespace

Instant next_beat(Instant earliest, Duration period) {
  const int64_t step = period.count();
  return Instant{(earliest.ns + step - 1) / step * step};
}

boost::asio::awaitable<void> Timers::wait_for(Duration d) {
  co_await wait_until(clock().now() + d);
}

boost::asio::awaitable<void> Timers::wait_for_beat(Duration period) {
  co_await wait_until(next_beat(clock().now() + period / 2, period));
}

// The clock may be a test's; the steady_timer only needs the distance.
boost::asio::steady_timer AsioTimers::timer_at(Instant when) const {
  using Steady = boost::asio::steady_timer::clock_type;
  const Duration distance = when - clock_.now();
  const Instant exact{Duration(Steady::now().time_since_epoch() + distance).count()};
  const Instant shared = distance > kTogether ? next_beat(exact, kTogether) : exact;
  return {executor_, Steady::time_point(Duration(shared.ns))};
}

boost::asio::awaitable<void> AsioTimers::wait_until(Instant when) {
  if (stopped_) throw boost::system::system_error(boost::asio::error::operation_aborted);
  Waiting waiting(*this, when);
  co_await waiting.timer.async_wait(boost::asio::use_awaitable);
}

class AsioTimers::Ringing final : public Alarm {
 public:
  Ringing(AsioTimers& timers, Instant when, std::function<void()> ring)
      : ring_(std::make_shared<std::function<void()>>(std::move(ring))),
        waiting_(timers, timers.stopped_ ? timers.clock_.now() : when) {
    // It rings when it is cancelled by stop(), too; one that was destroyed is no longer there, though
    // its timer may have run out before.
    const std::weak_ptr<std::function<void()>> alive = ring_;
    waiting_.timer.async_wait([alive](boost::system::error_code) {
      if (const auto due = alive.lock()) (*due)();
    });
  }

 private:
  std::shared_ptr<std::function<void()>> ring_;
  Waiting waiting_;
};

std::unique_ptr<Alarm> AsioTimers::alarm(Instant when, std::function<void()> ring) {
  return std::make_unique<Ringing>(*this, when, std::move(ring));
}

void AsioTimers::stop() {
  stopped_ = true;
  for (Waiting& waiting : waiting_) waiting.timer.cancel();
}

}  // namespace base
