// The GCC 12 coroutine trap: in a full-expression with co_await or co_yield, GCC 12 destroys a
// brace-initialised aggregate or a capturing lambda twice, without a warning. So such an expression
// may hold neither: name the thing in a statement of its own first, then std::move it in.
//
// A text lint: it cannot tell an aggregate from a class with constructors and so refuses every
// braced temporary; what it refuses is always right once named.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidy {

struct Trap {
  int line;
  std::string what;
};
std::vector<Trap> find_coroutine_traps(std::string_view source);

}  // namespace tidy
