// Binary request frames for tests.
#pragma once

#include <string>
#include <string_view>

#include "base/memcache/big_endian.h"
#include "base/memcache/binary_parser.h"

namespace base::memcache {

struct Frame {
  uint8_t opcode = 0;
  std::string extras = {};
  std::string key = {};
  std::string value = {};
  uint64_t cas = 0;
  uint32_t opaque = 0x01020304;
};

inline std::string u32(uint32_t number) {
  char bytes[4];
  store_u32(bytes, number);
  return std::string(bytes, sizeof(bytes));
}

inline std::string u64(uint64_t number) {
  char bytes[8];
  store_u64(bytes, number);
  return std::string(bytes, sizeof(bytes));
}

inline std::string encode(const Frame& frame) {
  std::string bytes(kBinaryHeaderSize, '\0');
  bytes[0] = static_cast<char>(kBinaryRequestMagic);
  bytes[1] = static_cast<char>(frame.opcode);
  store_u16(&bytes[2], static_cast<uint16_t>(frame.key.size()));
  bytes[4] = static_cast<char>(frame.extras.size());
  store_u32(&bytes[8],
            static_cast<uint32_t>(frame.extras.size() + frame.key.size() + frame.value.size()));
  store_u32(&bytes[12], frame.opaque);
  store_u64(&bytes[16], frame.cas);
  return bytes + frame.extras + frame.key + frame.value;
}

}  // namespace base::memcache
