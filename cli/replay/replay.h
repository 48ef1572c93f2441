// `mcguard replay`: a file or standard input again, row by row, as it would have been judged live.
#pragma once

#include <string>

#include "cli/replay/series_replay.h"

namespace cli {

struct ReplayOptions {
  std::string file;  // "-": standard input
  std::string output = "csv";
  std::string rule;       // only this question or rule; empty: all
  std::string rules_dir;  // for recordings
  bool with_reason = false;
  SeriesOptions series;
};

// Prints to stdout, problems and progress to stderr. Returns the exit status.
int run_replay(const ReplayOptions& options);

}  // namespace cli
