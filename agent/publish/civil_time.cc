#include "agent/publish/civil_time.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace agent::publish {

namespace {

std::string pair_of(int64_t large, const char* large_unit, int64_t small, const char* small_unit) {
  std::string out = std::to_string(large) + " " + large_unit;
  if (small > 0) out += " " + std::to_string(small) + " " + small_unit;
  return out;
}

std::string two_digits(const char* format, int hours, int minutes, int seconds) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), format, hours, minutes, seconds);
  return text.data();
}

}  // namespace

CivilTime civil(base::WallTime at) {
  using namespace std::chrono;
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_time<nanoseconds> time{nanoseconds(at.ns)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  const int h = static_cast<int>(clock.hours().count());
  const int m = static_cast<int>(clock.minutes().count());
  const int s = static_cast<int>(clock.seconds().count());

  CivilTime out;
  out.month = kMonths[static_cast<unsigned>(date.month()) - 1];
  out.day_of_month = std::to_string(static_cast<unsigned>(date.day()));
  out.date =
      out.day_of_month + " " + out.month + " " + std::to_string(static_cast<int>(date.year()));
  out.seconds = two_digits("%02d:%02d:%02d", h, m, s);
  out.clock = out.seconds.substr(0, 5);
  return out;
}

std::string date_and_clock(base::WallTime at) {
  const CivilTime time = civil(at);
  return time.date + ", " + time.clock + " UTC";
}

std::string date_and_seconds(base::WallTime at) {
  const CivilTime time = civil(at);
  return time.date + ", " + time.seconds + " UTC";
}

std::string duration_words(base::Duration length) {
  const int64_t s = length.count() <= 0 ? 0 : length.count() / 1'000'000'000;
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return pair_of(s / 60, "min", s % 60, "s");
  if (s < 86400) return pair_of(s / 3600, "h", s % 3600 / 60, "min");
  return pair_of(s / 86400, "d", s % 86400 / 3600, "h");
}

}  // namespace agent::publish
