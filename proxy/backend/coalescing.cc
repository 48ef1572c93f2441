#include "proxy/backend/coalescing.h"

namespace proxy {

void Coalescing::set_window(base::Duration window) {
  window_ = window;
  if (window_ == base::Duration(0)) on_ = false;
}

void Coalescing::on_tick(base::Instant now, const Work& work) {
  const base::Duration passed = now - ticked_;
  const double share =
      passed.count() <= 0 ? 0
                          : double((work.wanted - before_.wanted).count()) / double(passed.count());
  const uint64_t turns = work.turns - before_.turns;
  const uint64_t messages = work.messages - before_.messages;
  ticked_ = now;
  before_ = work;
  if (!on_) {
    on_ = window_ > base::Duration(0) && share > kBusy && now >= rests_until_;
    return;
  }
  if (double(messages) < kWorthwhile * double(turns)) {
    on_ = false;
    rests_until_ = now + rest_;
    rest_ = std::min(rest_ * 2, kLongestRest);
    return;
  }
  rest_ = kFirstRest;
  on_ = share > kQuiet;
}

}  // namespace proxy
