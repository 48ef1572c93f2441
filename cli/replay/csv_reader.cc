#include "cli/replay/csv_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cli {
namespace {

constexpr size_t kBuffer = size_t{64} << 10;  // doubled for longer lines

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

base::Result<size_t> DescriptorSource::read(char* into, size_t most) {
  while (true) {
    const ssize_t count = ::read(fd_, into, most);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno == EINTR) continue;
    return base::Error(base::ErrorCode::kIo,
                       "cannot read " + name_ + ": " + std::string(std::strerror(errno)));
  }
}

CsvReader::CsvReader(ByteSource& source, std::string name)
    : source_(source), name_(std::move(name)), buffer_(kBuffer) {}

base::Error CsvReader::error_at(size_t column, const std::string& text) const {
  return {base::ErrorCode::kInvalid,
          name_ + ":" + std::to_string(line_) + ":" + std::to_string(column) + ": " + text};
}

// A line without its end; line ends within quotes belong to it.
base::Result<bool> CsvReader::take_line(std::string_view& line) {
  size_t searched = 0;  // bytes of this line that hold no end
  size_t breaks = 0;    // line ends within quotes
  bool quoted = false;
  line_ = lines_ + 1;
  while (true) {
    const char* const from = buffer_.data() + begin_;
    const size_t have = end_ - begin_;
    const char* const newline =
        static_cast<const char*>(std::memchr(from + searched, '\n', have - searched));
    const size_t until = newline != nullptr ? static_cast<size_t>(newline - from) : have;
    const char* quote = from + searched;
    const char* const stop = from + until;
    while ((quote = static_cast<const char*>(
                std::memchr(quote, '"', static_cast<size_t>(stop - quote)))) != nullptr) {
      quoted = !quoted;
      ++quote;
    }
    searched = until;
    if (newline != nullptr && quoted) {
      ++searched;
      ++breaks;
      continue;
    }
    const bool last = newline == nullptr && ended_;
    if (newline != nullptr || (last && have > 0)) {
      if (quoted) {
        begin_ = end_;
        return error_at(1, "expected the end of a quoted field, got the end of the file");
      }
      line = {from, until};
      const size_t taken = until + (newline != nullptr ? 1 : 0);
      begin_ += taken;
      bytes_ += taken;
      lines_ += breaks + 1;
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      return true;
    }
    if (last) return false;
    if (have > kLongest) {
      // Where the next line would begin is not known either.
      base::Error error =
          error_at(1, "expected a line of at most " + std::to_string(kLongest) + " bytes");
      error.code = base::ErrorCode::kExhausted;
      return error;
    }
    if (begin_ > 0) {
      std::memmove(buffer_.data(), from, have);
      begin_ = 0;
      end_ = have;
    }
    if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
    auto count = source_.read(buffer_.data() + end_, buffer_.size() - end_);
    if (!count) return count.error();
    ended_ = *count == 0;
    end_ += *count;
  }
}

base::Result<bool> CsvReader::next() {
  while (true) {
    std::string_view line;
    auto taken = take_line(line);
    if (!taken || !*taken) return taken;
    if (line_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (trim(line).empty()) continue;
    if (separator_ == '\0') {
      separator_ = ',';
      for (const char other : {';', '\t'}) {
        const bool here = line.find(other) != std::string_view::npos;
        if (here && line.find(',') == std::string_view::npos) separator_ = other;
      }
    }
    auto fields = split(line);
    if (!fields) return fields.error();
    return true;
  }
}

base::Result<> CsvReader::split(std::string_view line) {
  fields_.clear();
  size_t at = 0;
  size_t scratch = 0;
  while (true) {
    const size_t begin = at;
    size_t first = at;
    while (first < line.size() && line[first] == ' ') ++first;
    if (first < line.size() && line[first] == '"') {
      at = first;
      auto text = unquote(line, at, scratch);
      if (!text) return text.error();
      fields_.push_back({*text, first + 1});
    } else {
      at = std::min(line.find(separator_, begin), line.size());
      const std::string_view text = trim(line.substr(begin, at - begin));
      fields_.push_back({text, static_cast<size_t>(text.data() - line.data()) + 1});
    }
    if (at >= line.size()) return base::Done{};
    ++at;
  }
}

// From the quote at `at` to the separator behind the field, or the end of the line.
base::Result<std::string_view> CsvReader::unquote(std::string_view line, size_t& at,
                                                  size_t& scratch) {
  if (scratch == unquoted_.size()) unquoted_.emplace_back();
  std::string& text = unquoted_[scratch++];
  text.clear();
  for (++at; at < line.size(); ++at) {
    if (line[at] != '"') {
      text += line[at];
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      text += line[++at];
    } else {
      break;
    }
  }
  ++at;
  while (at < line.size() && line[at] == ' ') ++at;
  if (at < line.size() && line[at] != separator_) {
    return error_at(at + 1, "expected a separator after a quoted field");
  }
  return std::string_view(text);
}

}  // namespace cli
