#include "agent/score/period.h"

#include <algorithm>
#include <cmath>

namespace agent::score {

namespace {

constexpr double kMemory = 1500;  // rows
constexpr size_t kDecideEvery = 64;
constexpr size_t kTurns = 3;  // how often a rhythm has to have been seen
constexpr float kValley = 0.3f;
constexpr float kPeak = 0.5f;
constexpr float kGone = 0.25f;

}  // namespace

bool Period::add(double value) {
  seen_ += 1;
  const double weight = 1 / std::min(static_cast<double>(seen_), kMemory);
  mean_ += weight * (value - mean_);
  double centred = value - mean_;
  // Outliers would own the products.
  if (seen_ > 30 && deviation_ > 0) centred = std::clamp(centred, -4 * deviation_, 4 * deviation_);
  deviation_ += weight * (std::fabs(centred) - deviation_);
  newest_ = newest_ == 0 ? kLags - 1 : newest_ - 1;
  // In units of the deviation, so that neither tiny nor huge values leave a float's range.
  const auto now = static_cast<float>(deviation_ > 0 ? centred / deviation_ : 0);
  history_[newest_] = history_[newest_ + kLags] = now;
  const float* past = history_.data() + newest_;
  const auto part = static_cast<float>(weight);
  for (size_t lag = 0; lag < kLags; ++lag) {
    products_[lag] += part * (now * past[lag] - products_[lag]);
  }
  return seen_ % kDecideEvery == 0 && decide();
}

bool Period::decide() {
  const float power = products_[0];
  if (!(power > 0)) return false;
  const auto correlation = [&](size_t lag) {
    // A lag has been possible for fewer rows than the whole.
    const double rows = std::min(static_cast<double>(seen_), kMemory);
    const double possible = std::max(rows - static_cast<double>(lag), 1.0);
    return static_cast<float>(products_[lag] / power * std::min(rows / possible, 2.0));
  };
  if (rows_ != 0 && correlation(rows_) >= kGone) return false;
  const size_t most = std::min(kLags - 1, seen_ / kTurns);
  size_t lag = 1;
  while (lag < most && correlation(lag) > kValley) ++lag;
  float best = 0;
  for (size_t at = lag; at < most; ++at) best = std::max(best, correlation(at));
  size_t found = 0;
  for (size_t at = std::max<size_t>(lag, 6); best >= kPeak && at < most; ++at) {
    const float here = correlation(at);
    if (here < 0.92f * best || here < correlation(at - 1) || here < correlation(at + 1)) continue;
    found = at;
    break;
  }
  if (found == rows_) return false;
  rows_ = found;
  return true;
}

}  // namespace agent::score
