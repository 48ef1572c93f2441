// Times and durations as people read them; all in UTC.
#pragma once

#include <string>

#include "base/time/clock.h"

namespace agent::publish {

struct CivilTime {
  std::string month;         // "Nov"
  std::string day_of_month;  // "23"
  std::string date;          // "23 Nov 2026"
  std::string clock;         // "07:28"
  std::string seconds;       // "07:28:17"
};
CivilTime civil(base::WallTime at);

std::string date_and_clock(base::WallTime at);    // "23 Nov 2026, 07:28 UTC"
std::string date_and_seconds(base::WallTime at);  // "23 Nov 2026, 07:28:17 UTC"

// "3 s", "4 min 10 s", "2 h 5 min", "3 d 4 h"; never negative, rounded down.
std::string duration_words(base::Duration length);

}  // namespace agent::publish
