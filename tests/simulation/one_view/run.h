// Run: one history of a small cluster under faults, all of it chosen by one seed.
//
// Two or three backends, two or three proxies with two workers each, an agent, six clients that write
// increasing numbers and read through any proxy, changes of weights, flushes, and faults: processes are
// stopped and continued or killed, lines between them are blocked for a while. Then everything heals,
// and what clients saw is judged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/one_view/history.h"
#include "tests/simulation/one_view/mutation.h"
#include "tests/simulation/one_view/simulation.h"
#include "tests/simulation/one_view/tables.h"

namespace one_view {

struct RunOptions {
  uint64_t seed = 1;
  Mutation mutation;
  bool tracing = false;
  // Also waits until everything has healed, and expects that every proxy serves every key again.
  bool recovery = false;
  uint64_t left_out = 0;  // bit i: fault number i does not happen
};

struct RunResult {
  std::optional<Violation> violation;
  std::vector<std::string> timeline;  // with tracing
  size_t faults = 0;
  size_t reads_with_value = 0;
  size_t epochs = 0;
  size_t flushes = 0;  // acknowledged in time
};

RunResult run(Tables& tables, const RunOptions& options);

// The same seed with as few faults as still show a violation, and what happened then.
std::string explain(Tables& tables, RunOptions options);

}  // namespace one_view
