// Series replay: a CSV of timestamp and value in, the same rows with their anomaly score out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/score/scorer.h"
#include "base/core/result.h"
#include "cli/replay/csv_reader.h"
#include "cli/replay/row_writer.h"

namespace cli {

struct SeriesOptions {
  std::string time_column = "timestamp";
  std::string value_column = "value";
  bool skip_bad = false;
  agent::score::Reason only = agent::score::Reason::kNone;  // ask this question alone; kNone: all
};

struct SeriesCount {
  uint64_t rows = 0;
  uint64_t missing = 0;  // values
  uint64_t bad = 0;      // rows left out
  std::string first_bad;
};

// Thread: one. Memory: constant.
class SeriesReplay {
 public:
  // All outlive it. `progress` is called every few thousand rows with the bytes read.
  SeriesReplay(CsvReader& reader, RowWriter& writer, SeriesOptions options,
               std::function<void(uint64_t)> progress);

  // Everything there is. kInvalid names file:line:column, what was found and what was expected.
  base::Result<SeriesCount> run();

 private:
  base::Result<> find_columns(bool& first_is_row);
  base::Result<> take_row();

  CsvReader& reader_;
  RowWriter& writer_;
  SeriesOptions options_;
  std::function<void(uint64_t)> progress_;
  size_t time_column_ = 0, value_column_ = 1;
  agent::score::Scorer scorer_;
  SeriesCount count_;
};

// Finite numbers; NaN for what files write when there is none (empty, NaN, null, NA, …); nullopt
// for anything else.
std::optional<double> parse_value(std::string_view text);

}  // namespace cli
