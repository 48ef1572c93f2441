// The rules of the house that a text can show: which folder may include which, and what nobody may
// call. Pure functions from (path, text) to findings; tidy_test.cc applies them to the tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidy {

// Each finding is one sentence with its line. `path` is relative to the source tree.
using Findings = std::vector<std::string>;

Findings check_includes(std::string_view path, std::string_view source);
Findings check_calls(std::string_view path, std::string_view source);
Findings check_marks(std::string_view path, std::string_view source);

}  // namespace tidy
