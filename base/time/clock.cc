#include "base/time/clock.h"

#include <time.h>

#include <cctype>
#include <cstdio>

namespace base {
namespace {
int64_t read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

bool take_digit(std::string_view& text, int& digit) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) == 0) return false;
  digit = text[0] - '0';
  text.remove_prefix(1);
  return true;
}

// Exactly so many digits, and what stands behind them ('\0': nothing does).
bool take_number(std::string_view& text, int digits, char behind, int& number) {
  number = 0;
  for (int i = 0, digit = 0; i < digits; ++i) {
    if (!take_digit(text, digit)) return false;
    number = number * 10 + digit;
  }
  if (behind == '\0') return true;
  if (text.empty() || text[0] != behind) return false;
  text.remove_prefix(1);
  return true;
}

// ".042": any number of digits, of which nine count.
bool take_fraction(std::string_view& text, int64_t& nanoseconds) {
  nanoseconds = 0;
  if (text.empty() || text[0] != '.') return true;
  text.remove_prefix(1);
  int digit = 0;
  if (!take_digit(text, digit)) return false;
  int64_t unit = 100'000'000;
  do {
    nanoseconds += unit * digit;
    unit /= 10;
  } while (take_digit(text, digit));
  return true;
}

// "Z", "+02:00".
bool take_offset(std::string_view& text, int64_t& seconds) {
  seconds = 0;
  if (text == "Z") return true;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  const int sign = text[0] == '+' ? 1 : -1;
  text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!take_number(text, 2, ':', hours) || !take_number(text, 2, '\0', minutes)) return false;
  seconds = sign * (int64_t{hours} * 60 + minutes) * 60;
  return text.empty() && hours < 24 && minutes < 60;
}
}  // namespace

std::optional<WallTime> WallTime::from_rfc3339(std::string_view text) {
  namespace chrono = std::chrono;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const bool read = take_number(text, 4, '-', year) && take_number(text, 2, '-', month) &&
                    take_number(text, 2, 'T', day) && take_number(text, 2, ':', hour) &&
                    take_number(text, 2, ':', minute) && take_number(text, 2, '\0', second);
  int64_t nanoseconds = 0, offset = 0;
  if (!read || !take_fraction(text, nanoseconds) || !take_offset(text, offset)) return std::nullopt;
  const chrono::year_month_day date(chrono::year(year), chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day)));
  // 60: a leap second.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  // Nanoseconds since 1970 end in 2262.
  constexpr int64_t kYear2200 = 7'258'118'400;
  const int64_t days = chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset;
  if (seconds < 0) return WallTime{};
  if (seconds >= kYear2200) return WallTime{kYear2200 * 1'000'000'000};
  return WallTime{seconds * 1'000'000'000 + nanoseconds};
}

std::string WallTime::to_rfc3339() const {
  time_t seconds = static_cast<time_t>(ns / 1'000'000'000);
  int64_t rest = ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(rest / 1'000'000));
  return text;
}

Instant SystemClock::now() const {
  return Instant{read_clock(CLOCK_MONOTONIC)};
}
WallTime SystemClock::wall() const {
  return WallTime{read_clock(CLOCK_REALTIME)};
}

}  // namespace base
