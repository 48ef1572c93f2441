// Request: one client command, whichever protocol it came in.
//
// Idea: both parsers (ascii_parser.h, binary_parser.h) fill the same flat struct with views into
// the caller's input buffer, so that routing is written once and a request costs no allocation. The
// views are valid for as long as those bytes stay where they are.
//
// A get of many keys is one Request: `key` is the first key and `more_keys` the rest of the line;
// keys() walks both. A value is either complete (`value`) or still to come (`value_follows`: the
// next value_length bytes of the stream, in ASCII with CR LF after them), so that large values can
// be streamed.
//
// What this leaves out: what a command means (proxy/route), and what it is answered
// (ascii_writer.h, binary_writer.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "base/memcache/word.h"

namespace base::telemetry {
enum class Operation : uint8_t;
}

namespace base::memcache {

inline constexpr size_t kMaxKeyLength = 250;
inline constexpr uint32_t kMaxValueLength = 1024 * 1024;

enum class Protocol : uint8_t { kUnknown, kAscii, kBinary };

// What a connection speaks, from its first byte; kUnknown for no bytes.
inline Protocol detect_protocol(std::string_view input) {
  if (input.empty()) return Protocol::kUnknown;
  return static_cast<uint8_t>(input[0]) == 0x80 ? Protocol::kBinary : Protocol::kAscii;
}

// One enumerator per meaning. Variants of the wire are flags of the Request: gets is kGet with_cas,
// GETKQ is kGet with_key and quiet, and so on.
enum class Command : uint8_t {
  kGet,
  kGat,  // exptime; get and touch
  kSet,
  kAdd,
  kReplace,
  kAppend,
  kPrepend,
  kCas,   // ASCII cas; a binary SET or REPLACE with a cas keeps its own command
  kIncr,  // delta; binary also initial, exptime, create
  kDecr,
  kDelete,
  kTouch,
  kFlushAll,  // exptime: the delay, 0 without one
  kVersion,
  kVerbosity,
  kStats,  // arguments: what follows `stats`
  kQuit,
  kNoop,  // binary NOOP, ASCII mn
  kSaslMechanisms,
  kSaslAuth,  // key: the mechanism; value: its data
  kSaslStep,
  kMetaGet,  // meta commands: arguments holds the flags, see Tokens
  kMetaSet,
  kMetaDelete,
  kMetaArithmetic,
  kMetaDebug,
};

// The name under which telemetry counts a command.
telemetry::Operation operation_of(Command command);

// Space-separated tokens of a piece of a line; a forward range of string_views.
class Tokens {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = const std::string_view&;

    Iterator() = default;
    Iterator(std::string_view current, std::string_view rest) : current_(current), rest_(rest) {}
    reference operator*() const { return current_; }
    pointer operator->() const { return &current_; }
    Iterator& operator++() {
      current_ = take_word(rest_);
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    // Only comparison with the end is meaningful: no token is empty.
    bool operator==(const Iterator& other) const {
      return current_.size() == other.current_.size() &&
             (current_.empty() || current_.data() == other.current_.data());
    }

   private:
    std::string_view current_;
    std::string_view rest_;
  };

  explicit Tokens(std::string_view text) : begin_(++Iterator({}, text)) {}
  // `first` is a token as it is (it may hold any byte), followed by the tokens of `rest`.
  Tokens(std::string_view first, std::string_view rest) : begin_(first, rest) {}

  Iterator begin() const { return begin_; }
  Iterator end() const { return {}; }
  bool empty() const { return begin_ == Iterator(); }

 private:
  Iterator begin_;
};

// Thread: any, a value. Owner: the connection's turn. Invariant: every view points into the input
// that was parsed.
struct Request {
  Protocol protocol = Protocol::kAscii;
  Command command = Command::kGet;
  bool quiet = false;          // noreply, or a quiet opcode; what to suppress depends on protocol
  bool with_cas = false;       // gets, gats, every binary get: the reply shows the cas
  bool with_key = false;       // GETK, GETKQ, GATK, GATKQ: the reply shows the key
  bool binary_key = false;     // meta: the key came as base64 and is decoded
  bool create = false;         // binary incr/decr: start at `initial` when there is no item
  bool value_follows = false;  // the value was not waited for: stream it
  uint8_t opcode = 0;          // binary, as received
  uint32_t opaque = 0;         // binary, as received
  uint32_t flags = 0;          // the client's flags of an item; the level of verbosity
  uint32_t value_length = 0;   // storage commands and SASL
  uint32_t key_count = 0;
  // As the client sent it: 0 never, <= 30 days relative, larger absolute, negative at once.
  int64_t exptime = 0;
  uint64_t cas = 0;
  uint64_t delta = 0;
  uint64_t initial = 0;
  std::string_view key;        // the first key; binary keys may hold any byte
  std::string_view more_keys;  // ASCII get with several keys: the rest of them, space-separated
  std::string_view value;      // complete unless value_follows
  std::string_view arguments;  // ASCII: what follows the command (stats, version) or the key (meta)

  // The keys in order, duplicates included.
  Tokens keys() const { return Tokens(key, more_keys); }
};

// What parsing the start of an input came to.
enum class ParseState : uint8_t {
  kComplete,  // one message was read: `consumed` bytes belong to it
  kNeedMore,  // call again with the same bytes and more, at least `needed` in all
  kError,     // answer `reply` (ASCII) or `status` (binary), then as `fate` says
};

enum class Fate : uint8_t {
  kKeep,     // go on behind `consumed`
  kSwallow,  // discard `swallow` bytes behind `consumed` (its value), then go on
  kClose,    // the stream cannot be followed any longer: send the reply if any, and close
};

struct Parsed {
  static Parsed complete(size_t consumed) {
    Parsed parsed;
    parsed.state = ParseState::kComplete;
    parsed.consumed = consumed;
    return parsed;
  }
  static Parsed need_more(size_t needed) {
    Parsed parsed;
    parsed.needed = needed;
    return parsed;
  }
  static Parsed error(Fate fate, size_t consumed = 0) {
    Parsed parsed;
    parsed.state = ParseState::kError;
    parsed.fate = fate;
    parsed.consumed = consumed;
    return parsed;
  }

  ParseState state = ParseState::kNeedMore;
  Fate fate = Fate::kKeep;
  uint16_t status = 0;  // binary errors: the response status (binary_writer.h)
  size_t consumed = 0;
  size_t needed = 0;
  uint64_t swallow = 0;
  std::string_view reply;  // ASCII errors: static text with CR LF; empty: say nothing (noreply)
};

}  // namespace base::memcache
