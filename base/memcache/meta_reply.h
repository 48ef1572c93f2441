// MetaReplyParser: what a memcached backend answers.
//
// Idea: one reply per call, as views into the receive buffer. A value is waited for up to a size of
// the caller's choice; beyond it the header alone is handed over (value_follows) and the caller
// streams value_length bytes and CR LF. The few classic replies that a prober needs (OK, VERSION,
// STAT, END, numbers) are understood too. Anything else is kError: the stream cannot be trusted any
// longer and the connection has to go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/memcache/request.h"

namespace base::memcache {

enum class MetaCode : uint8_t {
  kHeader,       // HD: done, or a hit without a value
  kValue,        // VA
  kMiss,         // EN
  kNotStored,    // NS
  kExists,       // EX
  kNotFound,     // NF
  kNoop,         // MN
  kDebug,        // ME: text is the rest of the line
  kNumber,       // a bare number (classic incr); in `number`
  kOk,           // OK
  kVersion,      // VERSION: text
  kStat,         // STAT: text is "name value"
  kEnd,          // END
  kError,        // ERROR
  kClientError,  // CLIENT_ERROR: text
  kServerError,  // SERVER_ERROR: text
};

// Thread: any, a value. Invariant: every view points into the input that was parsed.
struct MetaReply {
  MetaCode code = MetaCode::kHeader;
  bool has_cas = false, has_flags = false, has_ttl = false, has_size = false;
  bool won = false;            // W: this client shall recache
  bool stale = false;          // X
  bool already_won = false;    // Z: another client was told to recache
  bool key_is_binary = false;  // b: `key` is base64
  bool value_follows = false;
  uint32_t flags = 0;           // f
  uint32_t value_length = 0;    // VA
  uint64_t cas = 0;             // c
  uint64_t size = 0;            // s
  uint64_t number = 0;          // kNumber
  int64_t ttl = 0;              // t; -1: never expires
  std::string_view opaque;      // O
  std::string_view key;         // k
  std::string_view flags_text;  // all flags as they came, in their order
  std::string_view value;       // complete unless value_follows
  std::string_view text;        // errors, ME, VERSION, STAT: the rest of the line
};

// Thread: one. Owner: the backend connection. Invariant: the first scanned_ bytes hold no newline;
// a call with fewer than needed_ bytes cannot complete.
class MetaReplyParser {
 public:
  // Values larger than `buffered` come as value_follows.
  explicit MetaReplyParser(uint32_t buffered = kMaxValueLength) : buffered_(buffered) {}

  // Reads one reply from the start of `input`. After kNeedMore the next call must start with the
  // same bytes. kError has fate kClose and no reply.
  Parsed parse(std::string_view input, MetaReply& reply);

 private:
  Parsed need(size_t bytes);

  uint32_t buffered_;
  size_t scanned_ = 0;
  size_t needed_ = 0;
};

}  // namespace base::memcache
