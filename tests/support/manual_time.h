// Virtual time for tests: a clock that moves when told to, and timers that fire on it.
//
// Idea: ManualTimers keeps the sleepers in order of their wake-up times; run_for() advances the clock
// from wake-up to wake-up and runs the io_context dry in between, so that a test of hours takes
// microseconds and is the same every time.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>

#include "base/time/timers.h"

namespace test {

class ManualClock final : public base::Clock {
 public:
  base::Instant now() const override { return now_; }
  base::WallTime wall() const override {
    return base::WallTime{kZeroWall + now_.ns + jumped_.count()};
  }
  void advance(base::Duration d) { now_ = now_ + d; }
  void set(base::Instant at) { now_ = at; }
  // Only civil time: as when somebody sets the machine's clock.
  void jump(base::Duration d) { jumped_ += d; }

 private:
  static constexpr int64_t kZeroWall = 1'767'225'600'000'000'000;  // 2026-01-01T00:00:00Z
  base::Instant now_{1'000'000'000};
  base::Duration jumped_{0};
};

class ManualTimers final : public base::Timers {
 public:
  ManualTimers(boost::asio::io_context& io, ManualClock& clock) : io_(io), clock_(clock) {}
  boost::asio::awaitable<void> wait_until(base::Instant when) override;
  std::unique_ptr<base::Alarm> alarm(base::Instant when, std::function<void()> ring) override;
  base::Clock& clock() override { return clock_; }
  // Runs everything that becomes due within `d`, then leaves the clock `d` later.
  void run_for(base::Duration d);
  // Runs what is ready without moving time.
  void run_ready();

 private:
  boost::asio::io_context& io_;
  ManualClock& clock_;
  std::multimap<int64_t, std::weak_ptr<boost::asio::steady_timer>> sleepers_;
};

}  // namespace test
