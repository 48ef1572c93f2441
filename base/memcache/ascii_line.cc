#include "base/memcache/ascii_line.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/memcache/ascii_writer.h"
#include "base/memcache/client_number.h"
#include "base/memcache/word.h"

namespace base::memcache {
namespace {

using ascii::kBadDelete;
using ascii::kBadDelta;
using ascii::kBadExptime;
using ascii::kBadFormat;

constexpr Line kDone{};
constexpr Line kValue{Line::Kind::kValue, {}};
constexpr Line kUnknown{Line::Kind::kRefused, ascii::kError};

// A client that asked for noreply hears nothing of errors found after that was known.
Line refuse(const Request& request, std::string_view reply) {
  return {Line::Kind::kRefused, request.quiet ? std::string_view() : reply};
}

// The words behind a command other than get. More than any command takes are only counted as such.
struct Words {
  static constexpr size_t kMost = 7;

  explicit Words(std::string_view text) {
    for (;;) {
      const std::string_view word = take_word(text);
      if (word.empty()) return;
      if (count == kMost) {
        count = kMost + 1;
        return;
      }
      at[count++] = word;
    }
  }
  std::string_view operator[](size_t i) const { return at[i]; }
  bool between(size_t least, size_t most) const { return count >= least && count <= most; }
  bool end_in_noreply() const { return count > 0 && at[count - 1] == "noreply"; }

  std::array<std::string_view, kMost> at;
  size_t count = 0;
};

void take_key(std::string_view key, Request& request) {
  request.key = key;
  request.key_count = 1;
}

// get, gets: keys. gat, gats: an expiry time, then keys, perhaps none.
Line parse_get(std::string_view rest, Request& request, Command command, bool with_cas) {
  request.command = command;
  request.with_cas = with_cas;
  std::string_view word = take_word(rest);
  if (word.empty()) return kUnknown;
  if (command == Command::kGat) {
    if (!read_client_i32(word, request.exptime)) return refuse(request, kBadExptime);
    word = take_word(rest);
  }
  request.key = word;
  request.more_keys = rest;
  for (; !word.empty(); word = take_word(rest)) {
    if (word.size() > kMaxKeyLength) return refuse(request, kBadFormat);
    ++request.key_count;
  }
  return kDone;
}

bool read_value_length(std::string_view word, Request& request) {
  int64_t length = 0;
  if (!read_client_i32(word, length)) return false;
  if (length < 0 || length > std::numeric_limits<int32_t>::max() - 2) return false;
  request.value_length = static_cast<uint32_t>(length);
  return true;
}

// <key> <flags> <exptime> <length> [<cas>] [noreply]; any other last word is ignored.
Line parse_storage(const Words& words, Request& request, Command command) {
  request.command = command;
  const size_t least = command == Command::kCas ? 5 : 4;
  if (!words.between(least, least + 1)) return kUnknown;
  request.quiet = words.end_in_noreply();
  if (words[0].size() > kMaxKeyLength) return refuse(request, kBadFormat);
  take_key(words[0], request);
  if (!read_client_u32(words[1], request.flags) || !read_client_i32(words[2], request.exptime) ||
      !read_value_length(words[3], request)) {
    return refuse(request, kBadFormat);
  }
  if (command == Command::kCas && !read_client_u64(words[4], request.cas)) {
    return refuse(request, kBadFormat);
  }
  return kValue;
}

Line parse_arithmetic(const Words& words, Request& request, Command command) {
  request.command = command;
  if (!words.between(2, 3)) return kUnknown;
  request.quiet = words.end_in_noreply();
  if (words[0].size() > kMaxKeyLength) return refuse(request, kBadFormat);
  take_key(words[0], request);
  if (!read_client_u64(words[1], request.delta)) return refuse(request, kBadDelta);
  return kDone;
}

// delete <key> [0] [noreply]: the 0 is an old form of delayed deletion.
Line parse_delete(const Words& words, Request& request) {
  request.command = Command::kDelete;
  if (!words.between(1, 3)) return kUnknown;
  if (words.count > 1) {
    const bool zero = words[1] == "0";
    request.quiet = words.end_in_noreply();
    const bool valid = words.count == 2 ? zero || request.quiet : zero && request.quiet;
    if (!valid) return refuse(request, kBadDelete);
  }
  if (words[0].size() > kMaxKeyLength) return refuse(request, kBadFormat);
  take_key(words[0], request);
  return kDone;
}

Line parse_touch(const Words& words, Request& request) {
  request.command = Command::kTouch;
  if (!words.between(2, 3)) return kUnknown;
  request.quiet = words.end_in_noreply();
  if (words[0].size() > kMaxKeyLength) return refuse(request, kBadFormat);
  take_key(words[0], request);
  if (!read_client_i32(words[1], request.exptime)) return refuse(request, kBadExptime);
  return kDone;
}

Line parse_flush_all(const Words& words, Request& request) {
  request.command = Command::kFlushAll;
  if (words.count > 2) return kUnknown;
  request.quiet = words.end_in_noreply();
  const bool has_delay = words.count != (request.quiet ? 1 : 0);
  if (has_delay && !read_client_i32(words[0], request.exptime)) {
    return refuse(request, kBadExptime);
  }
  return kDone;
}

Line parse_verbosity(const Words& words, Request& request) {
  request.command = Command::kVerbosity;
  if (!words.between(1, 2)) return kUnknown;
  request.quiet = words.end_in_noreply();
  if (!read_client_u32(words[0], request.flags)) return refuse(request, kBadFormat);
  return kDone;
}

// Commands whose remaining words are the caller's to judge.
Line take_arguments(std::string_view rest, Request& request, Command command) {
  request.command = command;
  request.arguments = rest;
  return kDone;
}

Line parse_meta(char verb, std::string_view rest, Request& request) {
  if (verb == 'n') return take_arguments(rest, request, Command::kNoop);
  const std::string_view key = take_word(rest);
  switch (verb) {
    case 'g':
      request.command = Command::kMetaGet;
      break;
    case 's':
      request.command = Command::kMetaSet;
      break;
    case 'd':
      request.command = Command::kMetaDelete;
      break;
    case 'a':
      request.command = Command::kMetaArithmetic;
      break;
    case 'e':
      request.command = Command::kMetaDebug;
      if (key.empty()) return refuse(request, kBadFormat);
      break;
    default:
      return kUnknown;
  }
  if (key.empty()) return kUnknown;
  if (key.size() > kMaxKeyLength) return refuse(request, kBadFormat);
  take_key(key, request);
  if (verb == 's' && !read_value_length(take_word(rest), request)) {
    return refuse(request, kBadFormat);
  }
  request.arguments = rest;
  return verb == 's' ? kValue : kDone;
}

// A last word of HTTP/… means a browser or a scanner.
Line parse_unknown(std::string_view rest) {
  std::string_view last;
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) last = word;
  if (last.substr(0, 5) == "HTTP/") return {Line::Kind::kClose, {}};
  return kUnknown;
}

}  // namespace

Line parse_line(std::string_view text, Request& request) {
  std::string_view rest = text;
  const std::string_view word = take_word(rest);
  if (word.size() < 2) return kUnknown;
  switch (word[0]) {
    case 'g':
      if (word == "get") return parse_get(rest, request, Command::kGet, false);
      if (word == "gets") return parse_get(rest, request, Command::kGet, true);
      if (word == "gat") return parse_get(rest, request, Command::kGat, false);
      if (word == "gats") return parse_get(rest, request, Command::kGat, true);
      return kUnknown;
    case 's':
      if (word == "set") return parse_storage(Words(rest), request, Command::kSet);
      if (word == "stats") return take_arguments(rest, request, Command::kStats);
      return kUnknown;
    case 'a':
      if (word == "add") return parse_storage(Words(rest), request, Command::kAdd);
      if (word == "append") return parse_storage(Words(rest), request, Command::kAppend);
      return kUnknown;
    case 'c':
      if (word == "cas") return parse_storage(Words(rest), request, Command::kCas);
      return kUnknown;
    case 'd':
      if (word == "delete") return parse_delete(Words(rest), request);
      if (word == "decr") return parse_arithmetic(Words(rest), request, Command::kDecr);
      return kUnknown;
    case 'i':
      if (word == "incr") return parse_arithmetic(Words(rest), request, Command::kIncr);
      return kUnknown;
    case 't':
      if (word == "touch") return parse_touch(Words(rest), request);
      return kUnknown;
    case 'm':
      if (word.size() == 2) return parse_meta(word[1], rest, request);
      break;
    case 'r':
      if (word == "replace") return parse_storage(Words(rest), request, Command::kReplace);
      break;
    case 'p':
      if (word == "prepend") return parse_storage(Words(rest), request, Command::kPrepend);
      break;
    case 'f':
      if (word == "flush_all") return parse_flush_all(Words(rest), request);
      break;
    case 'v':
      if (word == "version") return take_arguments(rest, request, Command::kVersion);
      if (word == "verbosity") return parse_verbosity(Words(rest), request);
      break;
    case 'q':
      if (word == "quit") return take_arguments(rest, request, Command::kQuit);
      break;
    case 'b':  // an ancient name that memcached still knows
      if (word == "bget") return parse_get(rest, request, Command::kGet, false);
      break;
    default:
      break;
  }
  return parse_unknown(text);
}

}  // namespace base::memcache
