// Numbers in client lines, accepted exactly as memcached 1.6.18 accepts them: it uses C's strtol
// family, so a sign, and white space other than the separating blank before or after the digits,
// pass; what comes behind such white space is ignored.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace base::memcache {

// Thread: any. The text as sign and magnitude.
struct ClientNumber {
  uint64_t magnitude = 0;
  bool negative = false;
};

// False: no digits, something else behind them, or a magnitude of more than 64 bits.
bool read_client_number(std::string_view text, ClientNumber& number);

// Unsigned 64 bits, as a delta or a cas. A minus sign wraps around as strtoull does and is refused
// only when the wrapped number has its top bit set.
inline bool read_client_u64(std::string_view text, uint64_t& value) {
  ClientNumber number;
  if (!read_client_number(text, number)) return false;
  value = number.negative ? 0 - number.magnitude : number.magnitude;
  return !number.negative || value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
}

// Unsigned 32 bits, as flags: read as 64 bits and cut.
inline bool read_client_u32(std::string_view text, uint32_t& value) {
  uint64_t wide = 0;
  if (!read_client_u64(text, wide)) return false;
  value = static_cast<uint32_t>(wide);
  return true;
}

// Signed 32 bits, as expiry times and lengths: read as 64 bits and cut, so that 2^31 is negative.
inline bool read_client_i32(std::string_view text, int64_t& value) {
  ClientNumber number;
  if (!read_client_number(text, number)) return false;
  constexpr uint64_t kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (number.magnitude > kMax + (number.negative ? 1 : 0)) return false;
  const uint64_t wide = number.negative ? 0 - number.magnitude : number.magnitude;
  value = static_cast<int32_t>(wide);
  return true;
}

}  // namespace base::memcache
