#include "agent/score/tail.h"

#include <algorithm>
#include <cmath>

namespace agent::score {

namespace {

constexpr double kBodySurprise = 1.30103;  // -log10(1 - kBody)
constexpr double kLn10 = 2.302585;
// The law's prior is worth so many excesses, and nothing older than so many is remembered.
constexpr double kPriorExcesses = 10;
constexpr double kTailMemory = 120;
constexpr double kQuantileMemory = 1500;
// An excess teaches at most so many times the mean excess.
constexpr double kTailClip = 10;
// What is clipped again and again is taken for more each time.
constexpr double kUnclip = 1.4;
constexpr double kReclip = 0.97;
// The law's shape: 0 is exponential. The moments of few excesses say little of it.
constexpr double kPriorShape = 0.1;
constexpr double kShapePrior = 30;
constexpr double kHeaviest = 0.35;

}  // namespace

double Tail::surprise(double magnitude) const {
  if (!(magnitude > quantile_)) {
    return quantile_ > 0 && magnitude > 0 ? kBodySurprise * magnitude / quantile_ : 0;
  }
  if (mean_ <= 0) return kMost;
  // Method of moments: the squared coefficient of variation gives the shape.
  const double variance = std::max(square_ - mean_ * mean_, 1e-12 * square_);
  const double ratio = mean_ * mean_ / variance;
  const double weight = excesses_ / (excesses_ + kShapePrior);
  const double measured = 0.5 * (1 - ratio);
  const double shape = std::clamp(weight * measured + (1 - weight) * kPriorShape, 0.0, kHeaviest);
  const double scale = mean_ * (1 - shape);
  const double excess = (magnitude - quantile_) / scale;
  const double decades = shape < 0.01 ? excess / kLn10 : std::log10(1 + shape * excess) / shape;
  return std::min(kBodySurprise + decades, kMost);
}

void Tail::learn(double magnitude) {
  seen_ = std::min(seen_ + 1, kQuantileMemory);
  const bool exceeds = magnitude > quantile_;
  if (exceeds) {
    const double whole = magnitude - quantile_;
    const double excess = std::min(whole, clip_);
    clip_ = std::max(whole > clip_ ? clip_ * kUnclip : clip_ * kReclip, kTailClip * mean_);
    excesses_ = std::min(excesses_ + 1, kTailMemory);
    const double weight = 1 / (excesses_ + kPriorExcesses);
    mean_ += weight * (excess - mean_);
    square_ += weight * (excess * excess - square_);
  }
  // A step up for each excess and a twentieth down for the others finds the quantile.
  const double step = mean_ * 4 / (seen_ + 20);
  quantile_ = std::max(quantile_ + step * (exceeds ? kBody : kBody - 1), 0.0);
}

}  // namespace agent::score
