#include "cli/replay/timestamp.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace cli {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// Reads what it is told to and remembers whether all of it was there.
class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool is_done() const { return at_ == end_; }
  char peek() const { return is_done() ? '\0' : *at_; }
  bool take(char c) {
    if (is_done() || *at_ != c) return false;
    ++at_;
    return true;
  }
  // Exactly `digits` of them, as a number of at most `most`.
  std::optional<int> number(int digits, int most) {
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      if (peek() < '0' || peek() > '9') return std::nullopt;
      value = value * 10 + (*at_++ - '0');
    }
    return value <= most ? std::optional<int>(value) : std::nullopt;
  }
  // The digits of a fraction, in nanoseconds; what is finer is cut off.
  std::optional<int64_t> fraction() {
    int64_t value = 0, unit = kSecond / 10;
    if (peek() < '0' || peek() > '9') return std::nullopt;
    for (; peek() >= '0' && peek() <= '9'; ++at_, unit /= 10) value += (*at_ - '0') * unit;
    return value;
  }

 private:
  const char* at_;
  const char* end_;
};

std::optional<int64_t> read_date(Reader& in) {
  const auto year = in.number(4, 9999);
  const char between = in.peek();
  if (!year || (between != '-' && between != '/') || !in.take(between)) return std::nullopt;
  const auto month = in.number(2, 12);
  if (!month || !in.take(between)) return std::nullopt;
  const auto day = in.number(2, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

// Nanoseconds of the day.
std::optional<int64_t> read_time(Reader& in) {
  const auto hour = in.number(2, 24);
  if (!hour || !in.take(':')) return std::nullopt;
  const auto minute = in.number(2, 59);
  if (!minute) return std::nullopt;
  int64_t ns = (*hour * 3600 + *minute * 60) * kSecond;
  if (!in.take(':')) return ns;
  const auto second = in.number(2, 60);  // a leap second is the next one
  if (!second) return std::nullopt;
  ns += *second * kSecond;
  if (!in.take('.') && !in.take(',')) return ns;
  const auto fraction = in.fraction();
  return fraction ? std::optional<int64_t>(ns + *fraction) : std::nullopt;
}

// Seconds east of Greenwich.
std::optional<int64_t> read_offset(Reader& in) {
  if (in.is_done() || in.take('Z') || in.take('z')) return 0;
  in.take(' ');
  if (in.take('U')) {
    if (in.take('T') && in.take('C')) return 0;
    return std::nullopt;
  }
  const bool west = in.peek() == '-';
  if (!in.take('+') && !in.take('-')) return std::nullopt;
  const auto hour = in.number(2, 23);
  if (!hour) return std::nullopt;
  int minute = 0;
  if (!in.is_done()) {
    in.take(':');
    const auto given = in.number(2, 59);
    if (!given) return std::nullopt;
    minute = *given;
  }
  const int64_t seconds = *hour * 3600 + minute * 60;
  return west ? -seconds : seconds;
}

std::optional<base::WallTime> parse_civil(std::string_view text) {
  Reader in(text);
  const auto days = read_date(in);
  if (!days) return std::nullopt;
  int64_t ns = 0;
  int64_t offset = 0;
  if (!in.is_done()) {
    if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
    const auto time = read_time(in);
    if (!time) return std::nullopt;
    const auto east = read_offset(in);
    if (!east || !in.is_done()) return std::nullopt;
    ns = *time;
    offset = *east;
  }
  const int64_t seconds = *days * 86400 - offset;
  constexpr int64_t kMost = INT64_MAX / kSecond - 86400;
  if (seconds > kMost || seconds < -kMost) return std::nullopt;
  return base::WallTime{seconds * kSecond + ns};
}

std::optional<base::WallTime> parse_number(std::string_view text) {
  double value = 0;
  int64_t whole = 0;
  const char* const end = text.data() + text.size();
  const auto integer = std::from_chars(text.data(), end, whole);
  const bool is_integer = integer.ec == std::errc() && integer.ptr == end;
  if (is_integer) {
    value = static_cast<double>(whole);
  } else {
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end || !std::isfinite(value)) return std::nullopt;
  }
  // Seconds until the year 5138, and so on; smaller numbers are seconds too.
  const double size = std::fabs(value);
  const int64_t unit = size < 1e11 ? kSecond : size < 1e14 ? 1'000'000 : size < 1e17 ? 1'000 : 1;
  if (size * static_cast<double>(unit) > 9.2e18) return std::nullopt;
  if (is_integer) return base::WallTime{whole * unit};
  return base::WallTime{std::llround(value * static_cast<double>(unit))};
}

}  // namespace

std::optional<base::WallTime> parse_timestamp(std::string_view text) {
  // A date has a dash or a slash behind its year; a negative number has it in front.
  const bool civil = text.size() >= 8 && (text[4] == '-' || text[4] == '/');
  return civil ? parse_civil(text) : parse_number(text);
}

}  // namespace cli
