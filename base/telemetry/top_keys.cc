#include "base/telemetry/top_keys.h"

#include <algorithm>

namespace base::telemetry {

void TopKeys::add(const DetailBlock& detail, uint64_t heartbeat_ns) {
  uint64_t began = UINT64_MAX;
  for (const KeyWindowCells& window : detail.windows) {
    if (window.began_ns.get() != 0) began = std::min(began, window.began_ns.get());
  }
  if (began == UINT64_MAX) return;
  // A window is at least one tick of the worker old before it says anything about a rate.
  const double seconds =
      std::max(0.05, double(heartbeat_ns - std::min(began, heartbeat_ns)) * 1e-9);
  for (const KeyWindowCells& window : detail.windows) {
    if (window.began_ns.get() != 0)
      add_window(window, double(detail.sampled_one_in.get()) / seconds);
  }
}

void TopKeys::add_window(const KeyWindowCells& window, double requests_per_second_each) {
  const size_t used = std::min<uint64_t>(window.used.get(), kKeySlots);
  uint64_t floor = used == kKeySlots ? UINT64_MAX : 0;
  for (size_t i = 0; i < used; ++i) floor = std::min(floor, window.keys[i].count.get());
  for (size_t i = 0; i < used; ++i) {
    const KeyCells& cells = window.keys[i];
    Sum& sum = keys_[{static_cast<uint32_t>(cells.key.cache.get()), cells.key.hash.get()}];
    TopKey& total = sum.total;
    if (total.samples == 0) total.key = ShownKey::of(cells.key);
    total.samples += cells.count.get();
    total.at_most_too_high += cells.error.get();
    total.misses += cells.misses.get();
    total.writes += cells.writes.get();
    total.bytes += cells.bytes.get();
    total.per_second += double(cells.count.get()) * requests_per_second_each;
    sum.floors_where_present += floor;
  }
  samples_ += window.samples.get();
  floors_ += floor;
}

void TopKeys::add(const TopKeys& part) {
  for (const auto& [name, more] : part.keys_) {
    const auto [at, is_new] = keys_.try_emplace(name, more);
    if (is_new) continue;
    TopKey& total = at->second.total;
    total.samples += more.total.samples;
    total.at_most_too_high += more.total.at_most_too_high;
    total.misses += more.total.misses;
    total.writes += more.total.writes;
    total.bytes += more.total.bytes;
    total.per_second += more.total.per_second;
    at->second.floors_where_present += more.floors_where_present;
  }
  samples_ += part.samples_;
  floors_ += part.floors_;
}

std::vector<TopKey> TopKeys::busiest(size_t most, uint32_t cache) const {
  std::vector<TopKey> keys;
  for (const auto& [name, sum] : keys_) {
    if (cache != 0 && name.first != cache) continue;
    keys.push_back(sum.total);
    keys.back().at_most_too_low = floors_ - sum.floors_where_present;
  }
  const auto busier = [](const TopKey& a, const TopKey& b) {
    return a.samples != b.samples ? a.samples > b.samples : a.key.hash < b.key.hash;
  };
  const size_t shown = std::min(most, keys.size());
  std::partial_sort(keys.begin(), keys.begin() + long(shown), keys.end(), busier);
  keys.resize(shown);
  return keys;
}

double TopKeys::largest_share() const {
  uint64_t largest = 0;
  for (const auto& [name, sum] : keys_) {
    largest = std::max(largest,
                       sum.total.samples - std::min(sum.total.samples, sum.total.at_most_too_high));
  }
  return samples_ == 0 ? 0 : double(largest) / double(samples_);
}

}  // namespace base::telemetry
