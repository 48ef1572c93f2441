// Row writer: scored rows as CSV or JSON to a descriptor, in large pieces.
#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"

namespace cli {

enum class RowFormat { kCsv, kJson };

struct ScoredRow {
  std::string_view timestamp;  // as it was read
  std::string_view value;      // likewise; empty: missing
  bool has_number = false;     // `value` is a finite number
  double score = 0;
  std::string_view reason;  // only written when asked for
};

// Thread: one. Rows are complete in the descriptor after finish().
class RowWriter {
 public:
  // `fd` stays its owner's.
  RowWriter(int fd, RowFormat format, bool with_reason);

  // kUnavailable: the reader has gone; kIo: anything else.
  base::Result<> write(const ScoredRow& row);
  // What is buffered; for readers that watch a slow stream.
  base::Result<> flush();
  base::Result<> finish();

 private:
  void add_csv(std::string_view field);
  void add_json(std::string_view text);
  void add_score(double score);

  int fd_;
  RowFormat format_;
  bool with_reason_;
  bool first_ = true;
  std::string buffer_;
};

// The shortest decimal number that reads back as `value`, as JSON has it.
std::string json_number(double value);

}  // namespace cli
