#include "cli/replay/recording_replay.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace cli {
namespace {

namespace json = boost::json;
using agent::rule::VerdictChange;

constexpr size_t kReadPiece = size_t{256} << 10;

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

}  // namespace

RecordingReplay::RecordingReplay(agent::rule::RuleSet rules, std::string rule, RowFormat format,
                                 std::FILE* out)
    : rerun_(std::move(rules)), rule_(std::move(rule)), format_(format), out_(out) {}

void RecordingReplay::write(const VerdictChange& change) {
  const agent::incident::Verdict& verdict = change.verdict;
  // Blocks say what time of day it was when they were closed.
  const base::WallTime at = decoder_.wall() + (change.at - decoder_.at());
  const char* const what = change.began ? "began" : "ended";
  if (format_ == RowFormat::kCsv) {
    const std::string row = at.to_rfc3339() + "," + what + "," + verdict.rule + "," +
                            std::string(to_string(verdict.type)) + "," +
                            csv_field(verdict.scope.to_string()) + "," +
                            csv_field(verdict.sentence) + "\n";
    std::fputs(row.c_str(), out_);
    return;
  }
  json::object row;
  row["timestamp"] = at.to_rfc3339();
  row["change"] = what;
  row["rule"] = verdict.rule;
  row["type"] = std::string(to_string(verdict.type));
  row["scope"] = verdict.scope.to_string();
  row["confidence"] = verdict.confidence;
  row["sentence"] = verdict.sentence;
  std::fputs((count_.verdicts > 0 ? ",\n" : "\n"), out_);
  std::fputs(json::serialize(row).c_str(), out_);
}

base::Result<> RecordingReplay::judge(const std::vector<agent::series::Event>& events) {
  for (const agent::series::Event& event : events) {
    for (const VerdictChange& change : rerun_.apply(event)) {
      if (!rule_.empty() && change.verdict.rule != rule_) continue;
      write(change);
      ++count_.verdicts;
    }
  }
  if (std::fflush(out_) == 0) return base::Done{};
  return base::Error(base::ErrorCode::kUnavailable, "the reader of the output has gone");
}

base::Result<RecordingCount> RecordingReplay::run(ByteSource& source) {
  const bool is_csv = format_ == RowFormat::kCsv;
  std::fputs(is_csv ? "timestamp,change,rule,type,scope,sentence\n" : "[", out_);
  std::string piece(kReadPiece, '\0');
  for (bool goes_on = true; goes_on;) {
    auto size = source.read(piece.data(), piece.size());
    if (!size) return size.error();
    goes_on = *size > 0;
    if (goes_on) {
      decoder_.add(std::string_view(piece).substr(0, *size));
    } else {
      decoder_.end();
    }
    while (const auto events = decoder_.next_block()) {
      if (auto judged = judge(*events); !judged) return judged.error();
    }
  }
  if (!is_csv) std::fputs(count_.verdicts > 0 ? "\n]\n" : "]\n", out_);
  std::fflush(out_);
  count_.samples = rerun_.samples();
  count_.dropped = rerun_.dropped();
  count_.damaged = decoder_.damaged();
  count_.problem = rerun_.problem();
  return count_;
}

}  // namespace cli
