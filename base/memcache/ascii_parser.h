// AsciiParser: the text protocol as clients speak it.
//
// Idea: one memchr finds the line's end, a switch on length and letters finds the command, and each
// command's handler reads its fields from left to right, once. The Request gets views; nothing is
// copied or allocated. A line that is wrong is answered exactly as memcached 1.6.18 does
// (tests/unit/base/memcache compares with the real one), including whether the connection survives.
//
// Understood: get gets gat gats set add replace append prepend cas incr decr delete touch flush_all
// version verbosity stats quit mn, and noreply wherever memcached accepts it. The meta commands
// mg ms md ma me come out as commands with their key, value and flags (Request::arguments), whose
// flags this does not judge.
//
// It differs from memcached on purpose: a NUL is a byte like others (memcached cuts the line
// there), a line is limited (AsciiLimits::line), and commands that administer a server are unknown
// (ERROR).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/memcache/request.h"

namespace base::memcache {

struct AsciiLimits {
  size_t line = 1024 * 1024;            // a longer line (a get of very many keys) closes
  uint32_t value = kMaxValueLength;     // a larger value is refused and swallowed
  uint32_t buffered = kMaxValueLength;  // a larger value is handed over as value_follows
};

// What follows a value on the wire. Whoever streams a value checks these bytes himself and answers
// kBadDataChunk if they are others (ascii_writer.h); memcached then goes on behind them.
inline constexpr std::string_view kValueEnd = "\r\n";

// Thread: one. Owner: the connection. Invariant: the first scanned_ bytes of the input hold no
// newline.
class AsciiParser {
 public:
  explicit AsciiParser(AsciiLimits limits = {}) : limits_(limits) {}

  // Reads one command from the start of `input`. After kNeedMore the next call must start with the
  // same bytes (they may have moved). On kError `request` holds what was understood so far, so that
  // a refused `set` can still drop the old value under its key: command and key are right whenever
  // the fate is kSwallow.
  Parsed parse(std::string_view input, Request& request);

  void set_limits(AsciiLimits limits) { limits_ = limits; }

 private:
  Parsed take_value(std::string_view input, size_t head, Request& request);
  Parsed need(size_t bytes);

  AsciiLimits limits_;
  size_t scanned_ = 0;
  size_t needed_ = 0;
};

}  // namespace base::memcache
