#include "agent/runbook/steadiness.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace agent::runbook {

namespace json = boost::json;
using base::Duration;
using base::WallTime;

std::optional<Duration> ClockWatch::look(base::Instant now, WallTime wall) {
  const Duration offset(wall.ns - now.ns);
  const Duration jumped = offset - offset_.value_or(offset);
  offset_ = offset;
  if (jumped > -kJump && jumped < kJump) return std::nullopt;
  return jumped;
}

std::vector<WallTime> with_start(const std::string& known, WallTime now, Duration window,
                                 size_t most) {
  std::vector<WallTime> starts;
  boost::system::error_code failed;
  const json::value value = known.empty() ? json::value() : json::parse(known, failed);
  if (const json::array* list = failed ? nullptr : value.if_array()) {
    for (const json::value& entry : *list) {
      const json::string* text = entry.if_string();
      const auto at = text == nullptr ? std::nullopt : WallTime::from_rfc3339(*text);
      // One of the future is of a clock that was wrong.
      if (at.has_value() && *at <= now && now < *at + window) starts.push_back(*at);
    }
  }
  std::sort(starts.begin(), starts.end());
  starts.push_back(now);
  if (starts.size() > most)
    starts.erase(starts.begin(), starts.end() - static_cast<ptrdiff_t>(most));
  return starts;
}

std::string remembered_starts(const std::vector<WallTime>& starts) {
  json::array list;
  for (const WallTime at : starts) list.emplace_back(at.to_rfc3339());
  return json::serialize(list);
}

}  // namespace agent::runbook
