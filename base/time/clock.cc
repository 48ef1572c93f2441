#include "base/time/clock.h"

#include <time.h>

#include <cstdio>

namespace base {
namespace {
int64_t read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}
}  // namespace

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
