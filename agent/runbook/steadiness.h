// Steadiness: whether mcguard may trust itself enough to act.
//
// Two things make every judgement about time doubtful. A wall clock that jumps: hold-downs, cooldowns and
// budgets are kept in it over restarts. And an agent that does not stay up: each start judges anew, and would
// act anew. In both cases it observes only, for a while, and says so (as a pause, which a person can lift).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::runbook {

// Notices that the wall clock jumped against the monotonic one. Slewing (NTP corrects by at most 500 ppm)
// and leap seconds are no jump.
// Thread: one. Owner: app.
class ClockWatch {
 public:
  static constexpr base::Duration kJump = std::chrono::seconds(5);

  // How far it jumped since the last look (ahead: positive); nullopt: it did not. A second apart or less.
  std::optional<base::Duration> look(base::Instant now, base::WallTime wall);

 private:
  std::optional<base::Duration> offset_;  // wall minus monotonic
};

// The starts of the agent known so far and this one, without those longer ago than `window`: the newest `most`. `known`: as remembered_starts()
// wrote it; empty: none.
std::vector<base::WallTime> with_start(const std::string& known, base::WallTime now,
                                       base::Duration window, size_t most);
std::string remembered_starts(const std::vector<base::WallTime>& starts);

}  // namespace agent::runbook
