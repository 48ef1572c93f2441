// Recording replay: what was recorded on a node, judged by a set of rules; prints what began and
// ended.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "agent/rule/rerun.h"
#include "base/core/result.h"
#include "cli/replay/csv_reader.h"
#include "cli/replay/row_writer.h"

namespace cli {

struct RecordingCount {
  uint64_t samples = 0;
  uint64_t dropped = 0;  // events that the agent could not write
  uint64_t damaged = 0;  // bytes
  uint64_t verdicts = 0;
  std::string problem;  // with what had been learned
};

// Thread: one. Memory: a block and the detector.
class RecordingReplay {
 public:
  // `rule`: only its verdicts; empty: all. `out` stays its owner's.
  RecordingReplay(agent::rule::RuleSet rules, std::string rule, RowFormat format, std::FILE* out);

  // kUnavailable: the reader of the output has gone.
  base::Result<RecordingCount> run(ByteSource& source);

 private:
  base::Result<> judge(const std::vector<agent::series::Event>& events);
  void write(const agent::rule::VerdictChange& change);

  agent::rule::Rerun rerun_;
  std::string rule_;
  RowFormat format_;
  std::FILE* out_;
  agent::series::RecordingDecoder decoder_;
  RecordingCount count_;
};

}  // namespace cli
