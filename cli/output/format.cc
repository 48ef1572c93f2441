#include "cli/output/format.h"

#include <time.h>

#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/core/text.h"

namespace cli {
namespace {

namespace json = boost::json;
using base::Duration;

std::string decimals(double number, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

// The number at the front of `text`, which is taken off.
std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  return number;
}

struct Unit {
  std::string_view name;
  double factor;
};

template <size_t N>
std::optional<double> parse_unit(std::string_view text, const Unit (&units)[N]) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (text == unit.name) return *number * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::string format_number(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number);
  return std::string(text, end.ptr);
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  if (!found || found->is_null()) return {};
  if (found->is_double()) return format_number(found->get_double());
  if (found->is_string()) return std::string(found->get_string());
  return json::serialize(*found);
}

double number_of(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_number() ? found->to_number<double>() : 0;
}

bool truth_of(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_bool() && found->get_bool();
}

const json::object& object_of(const json::object& object, std::string_view key) {
  static const json::object kEmpty;
  const json::value* found = object.if_contains(key);
  return found && found->is_object() ? found->get_object() : kEmpty;
}

const json::array& list_of(const json::object& object, std::string_view key) {
  static const json::array kEmpty;
  const json::value* found = object.if_contains(key);
  return found && found->is_array() ? found->get_array() : kEmpty;
}

std::string format_count(double count) {
  std::string digits = decimals(count, 0);
  const size_t sign = digits.starts_with('-') ? 1 : 0;
  for (size_t at = digits.size(); at > sign + 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string format_rate(double per_second) {
  return per_second > 0 && per_second < 10 ? decimals(per_second, 1) : format_count(per_second);
}

std::string format_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return decimals(bytes, unit == 0 || bytes >= 100 ? 0 : 1) + " " + kUnits[unit];
}

std::string format_latency(double seconds) {
  if (!(seconds > 0)) return "-";
  if (seconds < 1e-3) return decimals(seconds * 1e6, 0) + " µs";
  if (seconds < 1) return decimals(seconds * 1e3, seconds < 0.1 ? 1 : 0) + " ms";
  return decimals(seconds, 1) + " s";
}

std::string format_share(double share) {
  return decimals(share * 100, 1) + "%";
}

std::string format_figure(double value, std::string_view unit) {
  constexpr std::string_view kShare = "share";
  if (unit.starts_with(kShare)) {
    return format_share(value) + std::string(unit.substr(kShare.size()));
  }
  if (unit == "seconds") return value == 0 ? "0 s" : format_latency(value);
  if (unit == "bytes") return format_bytes(value);
  return format_rate(value) + (unit.empty() ? "" : " ") + std::string(unit);
}

std::string format_age(Duration age) {
  const auto seconds = std::max<int64_t>(age.count() / 1'000'000'000, 0);
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 120 * 60) return std::to_string(seconds / 60) + "m";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::optional<base::WallTime> parse_time(std::string_view text) {
  tm parts{};
  int milliseconds = 0;
  const std::string copy(text);
  int used = 0;
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 6) {
    return std::nullopt;
  }
  std::string_view rest = std::string_view(copy).substr(static_cast<size_t>(used));
  if (rest.starts_with('.')) {
    if (std::sscanf(copy.c_str() + used, ".%3d", &milliseconds) != 1) return std::nullopt;
  }
  if (!rest.ends_with('Z')) return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return base::WallTime{static_cast<int64_t>(::timegm(&parts)) * 1'000'000'000 +
                        int64_t{milliseconds} * 1'000'000};
}

std::string format_since(const std::string& time, base::WallTime now) {
  const auto at = parse_time(time);
  return at ? format_age(now - *at) : time;
}

std::optional<Duration> parse_duration(std::string_view text) {
  static constexpr Unit kUnits[] = {{"us", 1e3}, {"µs", 1e3}, {"ms", 1e6},
                                    {"s", 1e9},  {"m", 60e9}, {"h", 3600e9}};
  const auto ns = parse_unit(text, kUnits);
  if (!ns || *ns > 9e18) return std::nullopt;
  return Duration(static_cast<int64_t>(std::llround(*ns)));
}

std::optional<DelayRange> parse_delay(std::string_view text) {
  const size_t dots = text.find("..");
  const auto min = parse_duration(text.substr(0, dots));
  const auto max = dots == std::string_view::npos ? min : parse_duration(text.substr(dots + 2));
  if (!min || !max || *min > *max) return std::nullopt;
  return DelayRange{*min, *max};
}

std::optional<double> parse_share(std::string_view text) {
  static constexpr Unit kUnits[] = {{"%", 0.01}, {"", 1}};
  const auto share = parse_unit(text, kUnits);
  if (!share || *share <= 0 || *share > 1) return std::nullopt;
  return share;
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  static constexpr Unit kUnits[] = {
      {"", 1}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
  const auto bytes = parse_unit(text, kUnits);
  if (!bytes || *bytes > 1e15) return std::nullopt;
  return static_cast<uint64_t>(*bytes);
}

}  // namespace cli
