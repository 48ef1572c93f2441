// Decimal numbers on the wire: strict reading and fast writing, for formats whose other side is a
// program. Numbers that clients type are read more leniently (client_number.h).
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace base::memcache {

inline constexpr size_t kMaxDecimalLength = 20;  // of a uint64_t, or an int64_t with its sign

// Writes `number` to `out`, which has room for kMaxDecimalLength; returns where it stopped.
template <class Number>
char* write_decimal(char* out, Number number) {
  return std::to_chars(out, out + kMaxDecimalLength, number).ptr;
}

// Reads a whole text: digits only (a minus sign for signed types), no overflow, not empty.
template <class Number>
bool read_decimal(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

}  // namespace base::memcache
