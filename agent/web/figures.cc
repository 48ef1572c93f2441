#include "agent/web/figures.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "agent/publish/civil_time.h"

namespace agent::web {

namespace json = boost::json;

namespace {

const json::value* find(const json::value& object, std::string_view key) {
  return object.is_object() ? object.get_object().if_contains(key) : nullptr;
}

std::string format(const char* pattern, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, value);
  return text.data();
}

std::string with_commas(double value) {
  std::string digits = format("%.0f", value);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    if (at == 1 && digits[0] == '-') break;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace

std::string text_of(const json::value& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

double number_of(const json::value& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value && value->is_number() ? value->to_number<double>() : 0;
}

bool flag_of(const json::value& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value && value->is_bool() && value->get_bool();
}

const json::array& list_of(const json::value& object, std::string_view key) {
  static const json::array kNone;
  const json::value* value = find(object, key);
  return value && value->is_array() ? value->get_array() : kNone;
}

const json::value& part_of(const json::value& object, std::string_view key) {
  static const json::value kNone;
  const json::value* value = find(object, key);
  return value ? *value : kNone;
}

std::string count_words(double count) {
  if (std::abs(count) >= 1e9) return format("%.2f G", count / 1e9);
  if (std::abs(count) >= 1e6) return format("%.2f M", count / 1e6);
  return with_commas(count);
}

std::string rate_words(double per_second) {
  if (per_second > 0 && per_second < 9.95) return format("%.1f", per_second);
  return count_words(per_second);
}

std::string latency_words(double seconds) {
  if (!(seconds > 0)) return "–";
  if (seconds < 0.9995e-3) return format("%.0f µs", seconds * 1e6);
  if (seconds < 9.95e-3) return format("%.1f ms", seconds * 1e3);
  if (seconds < 0.9995) return format("%.0f ms", seconds * 1e3);
  return format("%.1f s", seconds);
}

std::string share_words(double share) {
  const double percent = share * 100;
  if (percent > 0 && percent < 9.95) return format("%.1f %%", percent);
  return format("%.0f %%", percent);
}

std::string bytes_words(double bytes) {
  static constexpr std::array<const char*, 4> kUnits = {"%.1f KiB", "%.1f MiB", "%.1f GiB",
                                                        "%.1f TiB"};
  if (std::abs(bytes) < 1024) return format("%.0f B", bytes);
  size_t unit = 0;
  bytes /= 1024;
  while (std::abs(bytes) >= 1023.95 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return format(kUnits[unit], bytes);
}

base::WallTime parse_rfc3339(std::string_view text) {
  return base::WallTime::from_rfc3339(text).value_or(base::WallTime{});
}

std::string ago_words(std::string_view rfc3339, base::WallTime now) {
  const base::WallTime at = parse_rfc3339(rfc3339);
  return at.ns == 0 ? "" : publish::duration_words(now - at) + " ago";
}

std::string between_words(std::string_view from, std::string_view to) {
  const base::WallTime begin = parse_rfc3339(from), end = parse_rfc3339(to);
  if (begin.ns == 0 || end.ns == 0) return "";
  // Tenths matter where seconds are promised.
  const double seconds = base::to_seconds(end - begin);
  if (seconds < 59.95) return format("%.1f s", seconds < 0 ? 0 : seconds);
  return publish::duration_words(end - begin);
}

}  // namespace agent::web
