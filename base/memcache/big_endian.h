// Numbers of the binary protocol: big endian, at any alignment.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace base::memcache {

static_assert(std::endian::native == std::endian::little);

inline uint16_t load_u16(const char* from) {
  uint16_t number = 0;
  std::memcpy(&number, from, sizeof(number));
  return __builtin_bswap16(number);
}
inline uint32_t load_u32(const char* from) {
  uint32_t number = 0;
  std::memcpy(&number, from, sizeof(number));
  return __builtin_bswap32(number);
}
inline uint64_t load_u64(const char* from) {
  uint64_t number = 0;
  std::memcpy(&number, from, sizeof(number));
  return __builtin_bswap64(number);
}

inline void store_u16(char* to, uint16_t number) {
  number = __builtin_bswap16(number);
  std::memcpy(to, &number, sizeof(number));
}
inline void store_u32(char* to, uint32_t number) {
  number = __builtin_bswap32(number);
  std::memcpy(to, &number, sizeof(number));
}
inline void store_u64(char* to, uint64_t number) {
  number = __builtin_bswap64(number);
  std::memcpy(to, &number, sizeof(number));
}

}  // namespace base::memcache
