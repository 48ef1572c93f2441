#include "base/memcache/client_number.h"

namespace base::memcache {
namespace {

// C's isspace in the "C" locale. A blank cannot occur inside a token.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool read_client_number(std::string_view text, ClientNumber& number) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end && is_space(*at)) ++at;
  number.negative = at != end && *at == '-';
  if (at != end && (*at == '-' || *at == '+')) ++at;
  if (at == end || !is_digit(*at)) return false;
  uint64_t magnitude = 0;
  for (; at != end && is_digit(*at); ++at) {
    const uint64_t digit = static_cast<uint64_t>(*at - '0');
    if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
        __builtin_add_overflow(magnitude, digit, &magnitude)) {
      return false;
    }
  }
  number.magnitude = magnitude;
  return at == end || is_space(*at);
}

}  // namespace base::memcache
