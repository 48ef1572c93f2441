// The last five minutes of a few figures, for the console's sparklines. Memory is bounded: kPoints
// per name, and a name that is told no more is forgotten.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/web/operator_api.h"
#include "base/time/clock.h"

namespace agent::web {

// Thread: one. Owner: EventHub.
class History {
 public:
  static constexpr size_t kPoints = 150;
  static constexpr base::Duration kStep = std::chrono::seconds(2);

  // A point for each proxy and, as their sum, each cluster: once each kStep.
  void add(const std::vector<ProxyRate>& rates);

  // "cluster/amber", "proxy/amber-proxy-1". Oldest first; empty: nothing known.
  const std::deque<double>& of(const std::string& name) const;

 private:
  std::map<std::string, std::deque<double>> series_;
};

// The points of an SVG polyline in a box of kPoints x 24: newest at the right edge, the largest
// value at the top, all zero at the bottom.
std::string polyline(const std::deque<double>& values);

}  // namespace agent::web
