// Newcomers: who authenticated since the last look, from the proxies' telemetry segments into the
// history. Nothing is asked of a proxy.
//
// One that is being written to is read again in the next round, and a round that could not read all
// counts as none (history.h). A worker that stands still in the middle of a turn so leaves the
// history to grow old: there are counting filters only until it goes on or is replaced.
#pragma once

#include <vector>

#include "agent/filter/history.h"
#include "agent/filter/subject.h"
#include "base/telemetry/segment.h"
#include "base/time/clock.h"

namespace agent::filter {

// One proxy's process. Every one that runs has to be among those of a round, and every one that has
// ended once more, with its last words.
struct NewcomerSource {
  const base::telemetry::SegmentReader* segment = nullptr;  // nullptr: it cannot be read now
  bool is_ended = false;
};
struct NewcomerRound {
  bool is_complete = false;        // else those that have ended have to be there again
  std::vector<Subject> newcomers;  // may repeat; for LiftJudge
};

// One round, of all proxies of the node. Costs by what is new.
NewcomerRound read_newcomers(const std::vector<NewcomerSource>& sources, base::WallTime wall,
                             base::Instant now, AuthenticatedHistory& history);

}  // namespace agent::filter
