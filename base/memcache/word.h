// Words of a line: the text protocols separate them by blanks and by nothing else.
#pragma once

#include <cstddef>
#include <string_view>

namespace base::memcache {

// Removes the first word, and the blanks before it, from `text` and returns it; empty at the end.
inline std::string_view take_word(std::string_view& text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end && *at == ' ') ++at;
  const char* const start = at;
  while (at != end && *at != ' ') ++at;
  text = std::string_view(at, static_cast<size_t>(end - at));
  return std::string_view(start, static_cast<size_t>(at - start));
}

}  // namespace base::memcache
