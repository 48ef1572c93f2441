// The GCC 12 coroutine traps, both without a warning:
//   - In a full-expression with co_await or co_yield, GCC 12 destroys a brace-initialised aggregate or
//     a capturing lambda twice. So such an expression may hold neither: name the thing in a statement
//     of its own first, then std::move it in.
//   - A coroutine that declares no variable and awaits in the condition of an if, while, for, do or
//     switch is built wrong: nothing of it runs, or it crashes. So no condition may await, unless it
//     declares a variable there: await into a named one first.
//
// A text lint: it cannot tell an aggregate from a class with constructors and so refuses every
// braced temporary; nor does it look for the variables that make an awaiting condition work until the
// last of them goes. What it refuses is always right once named.
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
