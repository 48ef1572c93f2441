#include "agent/score/profile.h"

#include <algorithm>
#include <cmath>

namespace agent::score {

namespace {

constexpr double kSlowest = 0.12;   // how much a visit moves a bin that is well known
constexpr double kClip = 4;         // times the bin's deviation
constexpr double kSpreadPrior = 4;  // visits that the whole series' spread counts as
constexpr double kMemory = 1000;

}  // namespace

void Profile::set_step(double step) {
  const double wanted = std::floor(period_ / step + 0.5);
  const size_t count = static_cast<size_t>(std::clamp(wanted, 0.0, double(max_bins_)));
  if (count == bins_.size()) return;
  bins_.assign(count < kLeastBins ? 0 : count, Bin());
}

Profile::Place Profile::place(double seconds) const {
  const double turns = seconds / period_;
  const double position = (turns - std::floor(turns)) * static_cast<double>(bins_.size());
  Place place;
  place.left = std::min(static_cast<size_t>(position), bins_.size() - 1);
  place.part = position - static_cast<double>(place.left);
  // Clocks that are a little off the grid are on it.
  if (place.part < 0.1) place.part = 0;
  if (place.part > 0.9) {
    place.part = 0;
    place.left = after(place.left);
  }
  place.near = place.part < 0.5 ? place.left : after(place.left);
  return place;
}

bool Profile::knows(const Place& place) const {
  return bins_[place.left].visits > 0 && (place.part == 0 || bins_[after(place.left)].visits > 0);
}

double Profile::value(const Place& place) const {
  const double left = bins_[place.left].value;
  return place.part == 0 ? left : left + place.part * (bins_[after(place.left)].value - left);
}

double Profile::spread(const Place& place, double whole) const {
  const Bin& bin = bins_[place.near];
  if (whole <= 0) return 1;
  const double ratio =
      (bin.deviation * bin.visits / whole + kSpreadPrior) / (bin.visits + kSpreadPrior);
  return std::clamp(ratio, 0.4, 4.0);
}

void Profile::learn(const Place& place, double rest, double deviation) {
  Bin& bin = bins_[place.near];
  double innovation = rest - bin.value;
  if (bin.visits >= 2) {
    const double most = kClip * std::max<double>(bin.deviation, deviation);
    innovation = std::clamp(innovation, -most, most);
  }
  bin.visits = static_cast<float>(std::min<double>(bin.visits + 1, kMemory));
  bin.value += static_cast<float>(std::max(1 / double(bin.visits), kSlowest) * innovation);
  if (bin.visits < 2) return;
  const double weight = std::max(1 / (bin.visits - 1.0), 0.08);
  bin.deviation += static_cast<float>(weight * (std::fabs(innovation) - bin.deviation));
}

}  // namespace agent::score
