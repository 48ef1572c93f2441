#include "agent/series/usual.h"

#include <algorithm>

namespace agent::series {

namespace {

using namespace std::chrono_literals;

constexpr base::Duration kMean = 10s;
constexpr base::Duration kSlot = 5min;
constexpr base::Duration kGap = 5s;
constexpr size_t kRestored = 12;  // slots that a restored level counts as
constexpr size_t kQuintile = 5;

}  // namespace

Usual::Usual(double value, double seconds) : level_(value, seconds) {
  std::fill_n(slots_.begin(), kRestored, static_cast<float>(value));
  used_ = next_ = kRestored;
  low_ = value;
}

void Usual::learn(double value, base::Instant at, base::Duration forget) {
  level_.learn(value, at, forget);
  if (last_.ns == 0 || at - last_ > kGap) {
    mean_began_ = at;
    sum_ = count_ = 0;
  }
  if (slot_began_.ns == 0) slot_began_ = at;
  last_ = at;
  sum_ += value;
  ++count_;
  if (at - mean_began_ < kMean) return;
  const double mean = sum_ / count_;
  lowest_ = lowest_ < 0 ? mean : std::min(lowest_, mean);
  mean_began_ = at;
  sum_ = count_ = 0;
  if (at - slot_began_ >= kSlot) {
    slot_began_ = at;
    end_slot();
  }
}

void Usual::end_slot() {
  slots_[next_] = static_cast<float>(lowest_);
  next_ = (next_ + 1) % kSlots;
  used_ = std::min(used_ + 1, kSlots);
  lowest_ = -1;
  std::array<float, kSlots> sorted = slots_;
  const auto end = sorted.begin() + static_cast<ptrdiff_t>(used_);
  const auto low = sorted.begin() + static_cast<ptrdiff_t>(used_ / kQuintile);
  std::nth_element(sorted.begin(), low, end);
  low_ = *low;
}

double Usual::value() const {
  return low_ < 0 ? level_.value() : std::min(level_.value(), low_);
}

}  // namespace agent::series
