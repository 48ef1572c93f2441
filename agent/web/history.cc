#include "agent/web/history.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace agent::web {

void History::add(const std::vector<ProxyRate>& rates) {
  std::map<std::string, double> figures;
  for (const ProxyRate& rate : rates) {
    figures["proxy/" + rate.proxy] = rate.requests_per_second;
    figures["cluster/" + rate.cluster] += rate.requests_per_second;
  }
  std::erase_if(series_, [&](const auto& entry) { return !figures.contains(entry.first); });
  for (const auto& [name, value] : figures) {
    std::deque<double>& values = series_[name];
    values.push_back(std::isfinite(value) ? value : 0);
    if (values.size() > kPoints) values.pop_front();
  }
}

const std::deque<double>& History::of(const std::string& name) const {
  static const std::deque<double> kNone;
  const auto found = series_.find(name);
  return found == series_.end() ? kNone : found->second;
}

std::string polyline(const std::deque<double>& values) {
  constexpr double kTop = 2, kBottom = 22;
  const double largest = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  std::string out;
  size_t x = History::kPoints - std::min(values.size(), History::kPoints);
  for (const double value : values) {
    const double y = largest > 0 ? kBottom - (kBottom - kTop) * value / largest : kBottom;
    std::array<char, 40> point{};
    std::snprintf(point.data(), point.size(), "%zu,%.1f ", x++, y);
    out += point.data();
  }
  if (!out.empty()) out.pop_back();
  return out;
}

}  // namespace agent::web
