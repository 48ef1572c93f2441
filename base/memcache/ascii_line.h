// One line of the text protocol, already cut out of the stream, turned into a Request.
//
// A detail of AsciiParser, which finds the line and takes the value behind it. The order in which
// a handler looks at its words is memcached's, because it decides which of two errors is reported
// and whether `noreply` was seen in time to silence it.
#pragma once

#include <string_view>

#include "base/memcache/request.h"

namespace base::memcache {

struct Line {
  enum class Kind : uint8_t {
    kDone,     // the request is complete
    kValue,    // its value of value_length bytes follows
    kRefused,  // answer `reply`, unless empty, and go on
    kClose,    // not a memcache client: close without a word
  };
  Kind kind = Kind::kDone;
  std::string_view reply;
};

// `text` is a line without its end; `request` is fresh.
Line parse_line(std::string_view text, Request& request);

}  // namespace base::memcache
