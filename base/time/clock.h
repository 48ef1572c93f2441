// Time as the rest of the program sees it: Instants from a Clock, never from the operating system.
//
// Core rooms take `now` as a parameter; edges ask a Clock; coroutines wait on Timers (timers.h).
// Nothing outside base/time calls steady_clock or system_clock, so that tests and the simulator can
// run on virtual time.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

// A point on the monotonic clock (CLOCK_MONOTONIC; the same for all processes of one boot).
struct Instant {
  int64_t ns = 0;

  friend auto operator<=>(Instant, Instant) = default;
  friend Instant operator+(Instant at, Duration d) { return Instant{at.ns + d.count()}; }
  friend Instant operator-(Instant at, Duration d) { return Instant{at.ns - d.count()}; }
  friend Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }
};

// A point in civil time: nanoseconds since 1970-01-01T00:00:00Z.
struct WallTime {
  int64_t ns = 0;

  friend auto operator<=>(WallTime, WallTime) = default;
  friend WallTime operator+(WallTime at, Duration d) { return WallTime{at.ns + d.count()}; }
  friend Duration operator-(WallTime a, WallTime b) { return Duration(a.ns - b.ns); }
  // RFC 3339 with milliseconds, UTC: "2026-11-23T07:28:17.042Z".
  std::string to_rfc3339() const;
  // Any RFC 3339 time: with or without a fraction, Z or an offset. What lies outside of 1970 to 2200 is the
  // nearer of the two. nullopt: it is none.
  static std::optional<WallTime> from_rfc3339(std::string_view text);
};

inline double to_seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}
// To the nanosecond below; at most 292 years either way.
inline Duration from_seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Thread: any. Owner: main.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant now() const override;
  WallTime wall() const override;
};

}  // namespace base
