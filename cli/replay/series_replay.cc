#include "cli/replay/series_replay.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/core/text.h"
#include "cli/replay/timestamp.h"

namespace cli {
namespace {

constexpr uint64_t kProgressRows = 1 << 16;
constexpr size_t kShown = 40;

bool equal(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return lower(x) == lower(y); });
}

std::string shown(std::string_view text) {
  return "\"" + base::printable(text, kShown) + "\"";
}

}  // namespace

std::optional<double> parse_value(std::string_view text) {
  constexpr std::array<std::string_view, 6> kMissing = {"nan", "null", "na", "n/a", "none", "-"};
  const char* from = text.data();
  const char* const end = from + text.size();
  double value = 0;
  if (from != end && *from == '+') ++from;
  const auto read = std::from_chars(from, end, value);
  if (read.ec == std::errc() && read.ptr == end && std::isfinite(value)) return value;
  // Too small for a double is zero; too large is no number that can be worked with.
  if (read.ec == std::errc::result_out_of_range && read.ptr == end &&
      text.find("e-") != std::string_view::npos) {
    return 0.0;
  }
  const bool missing = text.empty() || std::any_of(kMissing.begin(), kMissing.end(),
                                                   [&](auto word) { return equal(text, word); });
  if (missing) return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

SeriesReplay::SeriesReplay(CsvReader& reader, RowWriter& writer, SeriesOptions options,
                           std::function<void(uint64_t)> progress)
    : reader_(reader),
      writer_(writer),
      options_(std::move(options)),
      progress_(std::move(progress)),
      scorer_(options_.only) {}

// By the header; a file of two columns whose first line is a row already has none.
base::Result<> SeriesReplay::find_columns(bool& first_is_row) {
  const auto& fields = reader_.fields();
  const auto find = [&](const std::string& name) {
    return static_cast<size_t>(
        std::find_if(fields.begin(), fields.end(),
                     [&](const CsvReader::Field& field) { return equal(field.text, name); }) -
        fields.begin());
  };
  time_column_ = find(options_.time_column);
  value_column_ = find(options_.value_column);
  if (time_column_ < fields.size() && value_column_ < fields.size()) {
    first_is_row = false;
    return base::Done{};
  }
  first_is_row = fields.size() == 2 && parse_timestamp(fields[0].text) &&
                 parse_value(fields[1].text).has_value();
  if (first_is_row) {
    time_column_ = 0;
    value_column_ = 1;
    return base::Done{};
  }
  std::string names;
  for (const CsvReader::Field& field : fields)
    names += (names.empty() ? "" : ", ") + shown(field.text);
  const std::string& absent =
      time_column_ == fields.size() ? options_.time_column : options_.value_column;
  return reader_.error_at(1, "expected a header with the column \"" + absent + "\", got " +
                                 base::printable(names, 200) +
                                 "; name others with --time-column and --value-column");
}

base::Result<> SeriesReplay::take_row() {
  const auto& fields = reader_.fields();
  const size_t needed = std::max(time_column_, value_column_) + 1;
  if (fields.size() < needed) {
    return reader_.error_at(1, "expected at least " + std::to_string(needed) + " fields, got " +
                                   std::to_string(fields.size()));
  }
  const CsvReader::Field& time = fields[time_column_];
  const CsvReader::Field& value = fields[value_column_];
  const auto at = parse_timestamp(time.text);
  if (!at) {
    return reader_.error_at(time.column,
                            "timestamp " + shown(time.text) +
                                ": expected RFC 3339, YYYY-MM-DD HH:MM:SS, or a number since 1970");
  }
  const auto number = parse_value(value.text);
  if (!number) {
    return reader_.error_at(value.column, "value " + shown(value.text) +
                                              ": expected a finite number, or nothing or NaN for a "
                                              "missing one");
  }
  const bool missing = std::isnan(*number);
  const agent::score::Score score = scorer_.score(*at, *number);
  ++count_.rows;
  if (missing) ++count_.missing;
  ScoredRow row;
  row.timestamp = time.text;
  row.value = value.text;
  row.has_number = !missing;
  row.score = score.value;
  row.reason = agent::score::to_string(score.reason);
  auto written = writer_.write(row);
  if (written && count_.rows % kProgressRows == 0) progress_(reader_.bytes());
  return written;
}

base::Result<SeriesCount> SeriesReplay::run() {
  bool first = true;
  while (true) {
    auto more = reader_.next();
    // A broken line is over; the next may be whole.
    const bool broken = !more && more.code() == base::ErrorCode::kInvalid;
    if (!more && !(broken && options_.skip_bad && !first)) return more.error();
    if (more && !*more) break;
    if (first) {
      first = false;
      bool is_row = false;
      if (auto found = find_columns(is_row); !found) return found.error();
      if (!is_row) continue;
    }
    const base::Result<> taken = broken ? base::Result<>(more.error()) : take_row();
    if (taken) continue;
    if (taken.code() != base::ErrorCode::kInvalid || !options_.skip_bad) return taken.error();
    if (count_.bad++ == 0) count_.first_bad = taken.error().context;
  }
  if (auto done = writer_.finish(); !done) return done.error();
  return count_;
}

}  // namespace cli
