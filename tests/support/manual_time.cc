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

namespace {

// Its timer never expires: the sleepers' list cancels it when its time has come.
class ManualAlarm final : public base::Alarm {
 public:
  ManualAlarm(boost::asio::io_context& io, std::function<void()> ring)
      : timer_(std::make_shared<boost::asio::steady_timer>(io)),
        ring_(std::make_shared<std::function<void()>>(std::move(ring))) {
    timer_->expires_at(std::chrono::steady_clock::time_point::max());
    const std::weak_ptr<std::function<void()>> alive = ring_;
    timer_->async_wait([alive](boost::system::error_code) {
      if (const auto due = alive.lock()) (*due)();
    });
  }
  const std::shared_ptr<boost::asio::steady_timer>& timer() const { return timer_; }

 private:
  std::shared_ptr<boost::asio::steady_timer> timer_;
  std::shared_ptr<std::function<void()>> ring_;
};

}  // namespace

std::unique_ptr<base::Alarm> ManualTimers::alarm(base::Instant when, std::function<void()> ring) {
  auto alarm = std::make_unique<ManualAlarm>(io_, std::move(ring));
  if (when <= clock_.now()) {
    alarm->timer()->cancel();
  } else {
    sleepers_.emplace(when.ns, alarm->timer());
  }
  return alarm;
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
