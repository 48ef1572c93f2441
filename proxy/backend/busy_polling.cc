#include "proxy/backend/busy_polling.h"

#include <algorithm>

namespace proxy {

void BusyPolling::set_policy(base::Duration window, PollWhen when) {
  if (window == window_ && when == when_) return;
  window_ = window;
  when_ = when;
  rests_until_ = {};
  rest_ = kFirstRest;
  enter(State::kOff);
}

void BusyPolling::enter(State state) {
  state_ = state;
  sample_ = {};
  waits_ = short_waits_ = 0;
}

void BusyPolling::on_tick(base::Instant now, const Work& work, bool may_poll) {
  const uint64_t messages = work.messages - before_.messages;
  ++sample_.ticks;
  sample_.ran += work.ran - before_.ran;
  sample_.wanted += work.wanted - before_.wanted;
  sample_.passed += now - ticked_;
  sample_.messages += messages;
  ticked_ = now;
  before_ = work;
  const bool has_to_pay = window_ > base::Duration(0) && when_ == PollWhen::kCheaper;
  if (!has_to_pay || !may_poll || messages < kFewest) return enter(State::kOff);
  switch (state_) {
    case State::kOff:
      return look_for_a_trial(now);
    case State::kTrial:
      return judge_trial(now);
    case State::kOn:
      return watch(now);
  }
}

void BusyPolling::look_for_a_trial(base::Instant now) {
  if (sample_.ticks < kTicks) return;
  const auto messages = double(sample_.messages);
  const auto then = double(failed_with_);
  if (now < rests_until_ && (messages > kAnotherLoad * then || kAnotherLoad * messages < then)) {
    rest_ = kFirstRest;
    rests_until_ = std::min(rests_until_, failed_ + kFirstRest);
  }
  const bool has_time = double(sample_.wanted.count()) <= kBusy * double(sample_.passed.count());
  const bool may_gain = waits_ > 0 && 2 * short_waits_ > waits_;
  const bool tries = now >= rests_until_ && has_time && may_gain;
  cost_without_ = sample_.cost();
  tried_with_ = sample_.messages;
  enter(tries ? State::kTrial : State::kOff);
}

void BusyPolling::judge_trial(base::Instant now) {
  const double most = sample_.ticks < kTicks ? kHopeless * cost_without_ : cost_without_;
  if (sample_.cost() > most) {
    failed_ = now;
    failed_with_ = tried_with_;
    rests_until_ = now + rest_;
    rest_ = std::min(rest_ * 2, kLongestRest);
    return enter(State::kOff);
  }
  if (sample_.ticks < kTicks) return;
  rest_ = kFirstRest;
  on_until_ = now + kHold;
  enter(State::kOn);
}

// What grew dearer may have done so by itself: that is for the next trial to say.
void BusyPolling::watch(base::Instant now) {
  if (sample_.ticks < kTicks) return;
  const bool goes_on = now < on_until_ && sample_.cost() <= kDearer * cost_without_;
  enter(goes_on ? State::kOn : State::kOff);
}

}  // namespace proxy
