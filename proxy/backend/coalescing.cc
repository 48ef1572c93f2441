#include "proxy/backend/coalescing.h"

#include <utility>

namespace proxy {

void Coalescing::Rest::after_failure(base::Instant now) {
  static constexpr base::Duration kLongest = std::chrono::seconds(16);
  until = now + next;
  next = std::min(next * 2, kLongest);
}

void Coalescing::set_window(base::Duration window) {
  if (window == window_) return;
  window_ = window;
  mode_ = Mode::kOff;
}

void Coalescing::on_tick(base::Instant now, const Work& work) {
  const double passed = base::to_seconds(now - ticked_);
  const auto turns = double(work.turns - before_.turns);
  const auto messages = double(work.messages - before_.messages);
  const double wanted = base::to_seconds(work.wanted - before_.wanted);
  ticked_ = now;
  before_ = work;
  if (passed <= 0 || turns <= 0 || window_ == base::Duration(0)) return;
  const Tick tick{wanted / passed, messages / turns, messages / passed};
  switch (mode_) {
    case Mode::kOff:
      if (tick.share > kBusy) {
        if (now >= busy_rest_.until) begin(Mode::kOn, now);
      } else if (tick.share > kHalfBusy && now >= trial_rest_.until) {
        begin(Mode::kTrial, now);
        without_ = tick.per_second;
      }
      return;
    case Mode::kTrial:
      return on_trial(now, tick);
    case Mode::kOn:
      return on_busy(now, tick);
  }
}

void Coalescing::begin(Mode mode, base::Instant now) {
  mode_ = mode;
  on_since_ = now;
  by_trial_ = mode == Mode::kTrial;
  gathering_ = window_;
  widest_ = widest();
  widest_until_ = now + kWidestHolds;
  gathered_before_.reset();
  poor_ = 0;
  trial_ticks_ = 0;
  with_ = 0;
}

void Coalescing::on_trial(base::Instant now, const Tick& tick) {
  with_ = std::max(with_, tick.per_second);
  if (++trial_ticks_ < kTrialTicks) return adapt(now, tick.gathered);
  if (with_ >= kGrowth * without_ && tick.gathered >= kWorthwhile) {
    mode_ = Mode::kOn;
  } else {
    mode_ = Mode::kOff;
    trial_rest_.after_failure(now);
  }
}

void Coalescing::on_busy(base::Instant now, const Tick& tick) {
  if (now >= on_since_ + kLasting) trial_rest_ = {};
  if (tick.share <= (by_trial_ ? kQuietAfterTrial : kQuiet)) {
    // The load is gone, or the window is so wide that everybody waits for us.
    gathered_before_.reset();
    if (gathering_ > window_) return narrow(now);
    mode_ = Mode::kOff;
    if (now < on_since_ + kLasting) trial_rest_.after_failure(now);
    return;
  }
  adapt(now, tick.gathered);
  if (gathered_before_) return;  // just widened
  poor_ = tick.gathered < kWorthwhile ? poor_ + 1 : 0;
  if (poor_ == 0) busy_rest_ = {};
  if (poor_ < kPoorTicks) return;
  mode_ = Mode::kOff;
  busy_rest_.after_failure(now);
}

// `gathered`: messages of a turn since the last tick.
void Coalescing::adapt(base::Instant now, double gathered) {
  const std::optional<double> before = std::exchange(gathered_before_, std::nullopt);
  if (now >= widest_until_) widest_ = widest();
  if (before && gathered < kGrowth * *before) {
    narrow(now);
  } else if (gathered < kEnough && 2 * gathering_ <= widest_) {
    gathering_ *= 2;
    gathered_before_ = gathered;
  } else if (gathered > kPlenty && gathering_ > window_) {
    gathering_ /= 2;
  }
}

void Coalescing::narrow(base::Instant now) {
  gathering_ /= 2;
  widest_ = gathering_;
  widest_until_ = now + kWidestHolds;
}

}  // namespace proxy
