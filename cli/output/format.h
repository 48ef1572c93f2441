// Numbers, times and JSON members as people read them; durations, shares and sizes as people write
// them on a command line.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/time/clock.h"

namespace cli {

// Members that may be missing or null read as empty, 0 or {}.
std::string format_number(double number);  // the shortest that reads back: "0", "0.15"
std::string text_of(const boost::json::object& object, std::string_view key);
double number_of(const boost::json::object& object, std::string_view key);
bool truth_of(const boost::json::object& object, std::string_view key);
const boost::json::object& object_of(const boost::json::object& object, std::string_view key);
const boost::json::array& list_of(const boost::json::object& object, std::string_view key);

std::string format_count(double count);      // "12", "1,234,567"
std::string format_rate(double per_second);  // "0.3", "1,234"
std::string format_bytes(double bytes);      // "512 B", "1.5 MiB"
std::string format_latency(double seconds);  // "-" for 0, "340 µs", "12 ms", "1.2 s"
std::string format_share(double share);      // "15.0%"
// By its unit: "18.8% of slow requests" for "share of slow requests", "12 ms" for "seconds".
std::string format_figure(double value, std::string_view unit);
std::string format_age(base::Duration age);  // "45s", "12m", "3h", "2d"
// RFC 3339 to wall time; nullopt for anything else.
std::optional<base::WallTime> parse_time(std::string_view text);
// "3m" since a time like "2026-11-23T07:28:17.042Z"; the text itself when it is no time.
std::string format_since(const std::string& time, base::WallTime now);

// "250us", "5ms", "2s", "5m".
std::optional<base::Duration> parse_duration(std::string_view text);
struct DelayRange {
  base::Duration min{0}, max{0};
};
// "5ms..15ms" or "10ms".
std::optional<DelayRange> parse_delay(std::string_view text);
// "15%" or "0.15", above 0 and at most 1.
std::optional<double> parse_share(std::string_view text);
// "512", "64KiB", "100MiB", "1GiB".
std::optional<uint64_t> parse_bytes(std::string_view text);

}  // namespace cli
