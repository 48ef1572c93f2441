#include "cli/load/reply_counter.h"

#include <algorithm>
#include <cstring>

#include "base/core/text.h"
#include "base/memcache/word.h"

namespace cli {
namespace {

constexpr size_t kMostErrorText = 200;

bool is_error(std::string_view line) {
  return line.starts_with("SERVER_ERROR") || line.starts_with("CLIENT_ERROR") ||
         line.starts_with("ERROR");
}

// "VALUE <key> <flags> <bytes> [<cas>]"
uint64_t value_length(std::string_view line) {
  std::string_view rest = line;
  for (int i = 0; i < 3; ++i) base::memcache::take_word(rest);
  return base::parse_u64(base::memcache::take_word(rest)).value_or(0);
}

}  // namespace

void ReplyCounter::reset() {
  skip_ = 0;
  line_.clear();
}

void ReplyCounter::take_line(std::string_view line, Counts& counts) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.starts_with("VALUE ")) {
    ++counts.values;
    skip_ = value_length(line) + 2;
    return;
  }
  ++counts.replies;
  if (!is_error(line)) return;
  ++counts.errors;
  last_error_ = base::printable(line, kMostErrorText);
}

ReplyCounter::Counts ReplyCounter::take(std::string_view bytes) {
  Counts counts;
  while (!bytes.empty()) {
    const uint64_t gone = std::min<uint64_t>(skip_, bytes.size());
    skip_ -= gone;
    bytes.remove_prefix(gone);
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      line_.append(bytes);
      break;
    }
    if (line_.empty()) {
      take_line(bytes.substr(0, end), counts);
    } else {
      line_.append(bytes.substr(0, end));
      take_line(line_, counts);
      line_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  return counts;
}

}  // namespace cli
