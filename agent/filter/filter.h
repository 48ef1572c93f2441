// Filter: an address filter as it stands in a kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/filter/subject.h"
#include "base/time/clock.h"

namespace agent::filter {

// Counting changes nothing for anybody: it shows what blocking would refuse.
enum class Mode : uint8_t { kCount, kBlock };
std::string_view to_string(Mode mode);  // "count", "block"

struct Filter {
  Subject subject;
  Mode mode = Mode::kCount;
  std::string run;         // the run that wanted it
  base::Duration ttl{0};   // as it was set; the kernel takes it away by itself
  base::Duration left{0};  // of it, to the second
  uint64_t packets = 0;    // new connections counted or refused, their repetitions too
  base::Duration age() const { return ttl - left; }
};

inline constexpr base::Duration kUsualTtl = std::chrono::minutes(10);
inline constexpr base::Duration kLongestTtl = std::chrono::hours(1);
inline constexpr base::Duration kShortestTtl = std::chrono::seconds(1);
// Names of runs are written into the kernel: letters, digits and -_./ only, at most 64.
bool is_run_name(std::string_view run);

}  // namespace agent::filter
