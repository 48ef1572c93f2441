// CHECK: an invariant of the program. Always on; a violation is a bug, and the process stops with
// the place and the expression on stderr rather than go on with a state nobody has thought about.
#pragma once

namespace base {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}  // namespace base

#define CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::base::check_failed(#expression, __FILE__, __LINE__))
