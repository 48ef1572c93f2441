// BrownOut: how much work the agent allows itself now.
//
// Idea: on the night of the outage monitoring took the cores that were left. So the agent has
// budgets, and as the host saturates it does less, in declared steps:
//
//   full       everything at its usual pace
//   sparing    what only people look at more seldom: memcached's items and bytes once a minute,
//              memory and files of processes every 5 s, echoes every 2 s
//   lean       canaries and probes every second, telemetry 4 times a second
//   essential  telemetry as at lean, connections (not by client) once a second, canaries and probes
//              every 2 s, as the rules for stuck members need; the end of a process is told at
//              once, as always
//
// Echoes that a new trouble asks for come as fast at each step: they are few and have an end.
//
// A step down needs either a budget that was exceeded on average over the last 10 s, which costs one
// step each time, and beyond sparing only on a full host, or a host that is full: busy for 10 s means
// sparing, and how late the agent's own thread is woken says how much further. Back it goes one step
// after 10 calm seconds, so that it does not swing. Intervals only grow when the host gets busier,
// never shrink.
//
// Left out: measuring (process_reader.h) and obeying (collector.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/coord/region.h"
#include "base/time/clock.h"

namespace agent::collect {

// What the last second has shown.
struct Burden {
  double cpu_share = 0;  // of one core, by the agent
  uint64_t memory_bytes = 0;
  double disk_bytes_per_second = 0;
  double host_cpu_share = 0;                // of all cores, by everybody
  base::Duration late = base::Duration(0);  // the agent's wake-ups behind their time, in the mean
};

enum class Frugality { kFull, kSparing, kLean, kEssential };
std::string_view to_string(Frugality level);  // "full", "sparing", "lean", "essential"

struct Pace {
  base::Duration telemetry;  // between two readings of the proxies' segments
  base::Duration probe;      // between two canaries of a proxy, two probes of a backend
  base::Duration echo;       // between two echoes of a link while all is well (agent/mesh)
  base::Duration stats;      // between two readings of memcached's statistics
  base::Duration processes;  // between two readings of the members' memory, CPU and files
  bool clients;              // whether connections are told by client
};
const Pace& pace_of(Frugality level);

// Thread: the control thread's. Owner: Collector.
class BrownOut {
 public:
  explicit BrownOut(const coord::AgentBudget& budget = {}) : budget_(budget) {}

  // Once a second. Whether the level has changed.
  bool observe(base::Instant now, const Burden& burden);

  Frugality level() const { return level_; }
  const Pace& pace() const { return pace_of(level_); }
  // One sentence with numbers; empty at full.
  const std::string& why() const { return why_; }

 private:
  static constexpr size_t kSeconds = 10;

  Burden average() const;
  static Frugality by_host(const Burden& mean, std::string& why);
  std::string exceeded(const Burden& mean) const;
  void go_to(Frugality level, base::Instant now, std::string why);

  // Constant after construction.
  const coord::AgentBudget budget_;

  std::array<Burden, kSeconds> last_{};
  size_t count_ = 0;  // seconds observed at the present level
  Frugality level_ = Frugality::kFull;
  std::string why_;
  base::Instant needed_;  // when the present level was last called for
};

}  // namespace agent::collect
