// Newcomers: who authenticated since the last look, from the proxies' telemetry segments into the
// history. Nothing is asked of a proxy.
//
// One that is being written to is read again in the next round, and a round that could not read all
// counts as none (history.h). A worker that stands still in the middle of a turn so leaves the
// history to grow old: there are counting filters only until it goes on or is replaced.
#pragma once

#include <cstdint>
#include <string>
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
struct NodeProxies {
  uint64_t mark = 0;  // mark_of_starts() from before the proxies were listed
  std::vector<NewcomerSource> sources;
};
struct NewcomerRound {
  bool is_complete = false;        // else those that have ended have to be there again
  std::vector<Subject> newcomers;  // may repeat; for LiftJudge
};

// Another one whenever a proxy has started or ended since: a segment's file then appears in the
// directory of segments or goes from it, and the kernel notes the time. 0: it cannot be told.
// Without /dev/shm other files are in that directory, too, such as the agent's own socket: then every
// restart of the agent begins anew.
uint64_t mark_of_starts(const std::string& segment_directory);

// One round, of all proxies of the node. Costs by what is new.
NewcomerRound read_newcomers(const NodeProxies& proxies, base::WallTime wall, base::Instant now,
                             AuthenticatedHistory& history);

}  // namespace agent::filter
