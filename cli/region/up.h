// `mcguard up`: owns a local region for as long as it stays in the foreground.
//
// Ownership is the socket run/up.sock. A second `up` asks the first to hand over ("takeover"): the
// first lets go and exits, what runs goes on. After a kill -9 of the owner the next one finds the
// agent and the page server by their locks. Either way they are adopted, never started twice.
#pragma once

#include "base/core/result.h"
#include "cli/region/definition.h"

namespace cli {

// Blocks until the region is stopped or taken over; the exit status. Says what it does on stdout,
// what went wrong on stderr.
int run_up(const UpOptions& options);

}  // namespace cli
