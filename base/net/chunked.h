// What Beast's parser must be spared while it reads a chunked body.
#pragma once

#include <cstddef>

namespace base::net {

// "0\r\n\r\n", the least that can end a chunked body (RFC 9112, 7.1).
inline constexpr size_t kLastChunk = 5;

// Whether bytes that `parser` has refused once (need_more) may be shown to it again now that there
// are `bytes` of them: Beast 1.81 asserts that a last chunk whose start it has seen is at least
// kLastChunk long the next time.
template <class Parser>
bool can_show_again(const Parser& parser, size_t bytes) {
  return !parser.is_header_done() || !parser.chunked() || bytes >= kLastChunk;
}

}  // namespace base::net
