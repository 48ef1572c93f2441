#include "base/config/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/core/text.h"

namespace base::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};
constexpr std::array<Unit, 6> kDurations = {{{"d", 86'400'000'000'000},
                                             {"h", 3'600'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"s", 1'000'000'000},
                                             {"ms", 1'000'000},
                                             {"us", 1'000}}};
constexpr std::array<Unit, 4> kSizes = {{{"TiB", int64_t{1} << 40},
                                         {"GiB", int64_t{1} << 30},
                                         {"MiB", int64_t{1} << 20},
                                         {"KiB", int64_t{1} << 10}}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Digits without a leading zero.
bool is_plain(std::string_view digits) {
  return !digits.empty() && std::all_of(digits.begin(), digits.end(), is_digit) &&
         (digits.size() == 1 || digits[0] != '0');
}

size_t count_digits(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

// <digits><unit>, without overflow of int64_t.
template <size_t N>
std::optional<int64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  const std::string_view digits = text.substr(0, count_digits(text));
  const std::string_view name = text.substr(digits.size());
  const auto count = is_plain(digits) ? parse_u64(digits) : std::nullopt;
  const auto* unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  if (!count || unit == units.end()) return std::nullopt;
  const auto most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / unit->factor);
  if (*count > most) return std::nullopt;
  return static_cast<int64_t>(*count) * unit->factor;
}

template <size_t N>
std::optional<std::string> in_largest_unit(int64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::nullopt;
}

// Edits (insert, delete, replace, swap neighbours) from one name to the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

}  // namespace

std::optional<int64_t> parse_integer(std::string_view text) {
  const bool negative = text.substr(0, 1) == "-";
  if (!is_plain(text.substr(negative ? 1 : 0)) || text == "-0") return std::nullopt;
  int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  std::string_view left = text;
  if (left.substr(0, 1) == "-") left.remove_prefix(1);
  const size_t whole = count_digits(left);
  if (!is_plain(left.substr(0, whole))) return std::nullopt;
  left.remove_prefix(whole);
  if (left.substr(0, 1) == ".") {
    const size_t fraction = count_digits(left.substr(1));
    if (fraction == 0) return std::nullopt;
    left.remove_prefix(1 + fraction);
  }
  if (left.substr(0, 1) == "e" || left.substr(0, 1) == "E") {
    left.remove_prefix(1);
    if (left.substr(0, 1) == "-" || left.substr(0, 1) == "+") left.remove_prefix(1);
    const size_t exponent = count_digits(left);
    if (exponent == 0) return std::nullopt;
    left.remove_prefix(exponent);
  }
  if (!left.empty()) return std::nullopt;
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto ns = parse_with_unit(text, kDurations);
  if (!ns) return std::nullopt;
  return Duration(*ns);
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  if (is_plain(text)) return parse_u64(text);
  const auto bytes = parse_with_unit(text, kSizes);
  if (!bytes) return std::nullopt;
  return static_cast<uint64_t>(*bytes);
}

std::optional<double> parse_share(std::string_view text) {
  const bool percent = !text.empty() && text.back() == '%';
  const auto number = parse_number(text.substr(0, text.size() - (percent ? 1 : 0)));
  if (!number) return std::nullopt;
  return percent ? *number / 100 : *number;
}

std::string duration_text(Duration duration) {
  if (duration.count() == 0) return "0s";
  const auto text = in_largest_unit(duration.count(), kDurations);
  return text ? *text : std::to_string(duration.count()) + "ns";
}

std::string bytes_text(uint64_t bytes) {
  const bool fits = bytes <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const auto text = fits ? in_largest_unit(static_cast<int64_t>(bytes), kSizes) : std::nullopt;
  return text ? *text : std::to_string(bytes);
}

std::string number_text(double number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return std::string(buffer, end);
}

std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& names) {
  constexpr size_t kLongest = 64;  // what is longer is no slip of the fingers
  if (wanted.size() > kLongest) return "";
  std::string nearest;
  size_t best = std::max<size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& name : names) {
    if (name.size() > kLongest) continue;
    const size_t distance = edit_distance(wanted, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace base::config
