#include "base/memcache/ascii_parser.h"

#include <cstring>

#include "base/memcache/ascii_line.h"
#include "base/memcache/ascii_writer.h"

namespace base::memcache {
namespace {

constexpr size_t kLongLine = 2048;
constexpr size_t kMostLeadingBlanks = 100;

// Whether `start`, the first part of a long line, may be a get of many keys.
bool may_be_long(std::string_view start) {
  const size_t blanks = start.find_first_not_of(' ');
  if (blanks > kMostLeadingBlanks) return false;  // npos included
  const std::string_view text = start.substr(blanks);
  for (const std::string_view word : {"get ", "gets ", "gat ", "gats "}) {
    if (text.substr(0, word.size()) == word) return true;
  }
  return false;
}

Parsed refused(Fate fate, size_t consumed, std::string_view reply) {
  Parsed parsed = Parsed::error(fate, consumed);
  parsed.reply = reply;
  return parsed;
}

}  // namespace

Parsed AsciiParser::need(size_t bytes) {
  needed_ = bytes;
  return Parsed::need_more(bytes);
}

Parsed AsciiParser::parse(std::string_view input, Request& request) {
  if (input.size() < needed_ || input.empty()) return need(needed_ == 0 ? 1 : needed_);
  const void* const newline = std::memchr(input.data() + scanned_, '\n', input.size() - scanned_);
  // Up to the newline, or what there is of a line.
  const size_t length = newline == nullptr
                            ? input.size()
                            : static_cast<size_t>(static_cast<const char*>(newline) - input.data());
  if (length > kLongLine && !may_be_long(input)) return refused(Fate::kClose, 0, {});
  if (length > limits_.line) return refused(Fate::kClose, 0, ascii::kLineTooLong);
  if (newline == nullptr) {
    scanned_ = length;
    return need(length + 1);
  }
  scanned_ = 0;
  needed_ = 0;
  request = Request();
  const bool has_return = length > 0 && input[length - 1] == '\r';
  const Line line = parse_line(input.substr(0, length - (has_return ? 1 : 0)), request);
  switch (line.kind) {
    case Line::Kind::kDone:
      return Parsed::complete(length + 1);
    case Line::Kind::kValue:
      return take_value(input, length + 1, request);
    case Line::Kind::kRefused:
      return refused(Fate::kKeep, length + 1, line.reply);
    case Line::Kind::kClose:
      break;
  }
  return refused(Fate::kClose, 0, {});
}

Parsed AsciiParser::take_value(std::string_view input, size_t head, Request& request) {
  const size_t length = request.value_length;
  if (length > limits_.value) {
    Parsed parsed = refused(Fate::kSwallow, head, request.quiet ? "" : ascii::kTooLarge);
    parsed.swallow = length + kValueEnd.size();
    return parsed;
  }
  if (length > limits_.buffered) {
    request.value_follows = true;
    return Parsed::complete(head);
  }
  const size_t total = head + length + kValueEnd.size();
  if (input.size() < total) return need(total);
  request.value = input.substr(head, length);
  if (input.substr(head + length, kValueEnd.size()) != kValueEnd) {
    return refused(Fate::kKeep, total, request.quiet ? "" : ascii::kBadDataChunk);
  }
  return Parsed::complete(total);
}

}  // namespace base::memcache
