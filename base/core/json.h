// JSON that came from outside the program, such as a request's body or a peer's line.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "base/core/result.h"

namespace base {

// What `text` says (RFC 8259), and that it can be written again: Boost reads a number beyond the
// largest double as infinity, which JSON cannot express, so such a number is an error here.
// kInvalid: "line 1, column 12: syntax error". Any thread; at most 32 levels deep.
Result<boost::json::value> parse_json(std::string_view text);

}  // namespace base
