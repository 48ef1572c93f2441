// The last five minutes of a few figures, for the console's sparklines. Memory is bounded: kPoints
// per name, and a name that `status` no longer holds is forgotten.
#pragma once

#include <boost/json/value.hpp>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/time/clock.h"

namespace agent::web {

// Thread: one. Owner: EventHub.
class History {
 public:
  static constexpr size_t kPoints = 150;
  static constexpr base::Duration kStep = std::chrono::seconds(2);

  // Takes requests per second of each proxy and cluster out of a `status` document; nothing if the
  // last point is younger than kStep.
  void add(const boost::json::value& status, base::Instant now);

  // "cluster/amber", "proxy/amber-proxy-1". Oldest first; empty: nothing known.
  const std::deque<double>& of(const std::string& name) const;

 private:
  std::map<std::string, std::deque<double>> series_;
  base::Instant next_{INT64_MIN};
};

// The points of an SVG polyline in a box of kPoints x 24: newest at the right edge, the largest
// value at the top, all zero at the bottom.
std::string polyline(const std::deque<double>& values);

}  // namespace agent::web
