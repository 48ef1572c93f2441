// The binary protocol: opcodes, and the parser of client frames.
//
// Every frame is a 24-byte header and a body of extras, key and value, all of announced length, so
// parsing keeps no state: call again when more bytes are there. Lengths are validated per opcode as
// memcached 1.6.18 does; what memcached answers with an error and a closed connection comes out as
// kError with fate kClose, an unknown opcode as kError with its body swallowed. Errors always carry
// a status to be answered (binary_writer.h), whether or not the opcode is quiet; a frame that does
// not begin with the magic byte is status 0, fate kClose: no answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/memcache/request.h"

namespace base::memcache {

inline constexpr uint8_t kBinaryRequestMagic = 0x80;
inline constexpr uint8_t kBinaryResponseMagic = 0x81;
inline constexpr size_t kBinaryHeaderSize = 24;
// Incr and decr with this exptime do not create the item.
inline constexpr uint32_t kBinaryNoCreate = 0xffffffff;

enum class Opcode : uint8_t {
  kGet = 0x00,
  kSet = 0x01,
  kAdd = 0x02,
  kReplace = 0x03,
  kDelete = 0x04,
  kIncrement = 0x05,
  kDecrement = 0x06,
  kQuit = 0x07,
  kFlush = 0x08,
  kGetQ = 0x09,
  kNoop = 0x0a,
  kVersion = 0x0b,
  kGetK = 0x0c,
  kGetKQ = 0x0d,
  kAppend = 0x0e,
  kPrepend = 0x0f,
  kStat = 0x10,
  kSetQ = 0x11,
  kAddQ = 0x12,
  kReplaceQ = 0x13,
  kDeleteQ = 0x14,
  kIncrementQ = 0x15,
  kDecrementQ = 0x16,
  kQuitQ = 0x17,
  kFlushQ = 0x18,
  kAppendQ = 0x19,
  kPrependQ = 0x1a,
  kTouch = 0x1c,
  kGat = 0x1d,
  kGatQ = 0x1e,
  kSaslList = 0x20,
  kSaslAuth = 0x21,
  kSaslStep = 0x22,
  kGatK = 0x23,
  kGatKQ = 0x24,
};

struct BinaryLimits {
  uint32_t value = kMaxValueLength;     // a larger value is refused (kTooLarge) and swallowed
  uint32_t buffered = kMaxValueLength;  // a larger value is handed over as value_follows
};

// Reads one frame from the start of `input`. Statistics and SASL come out with key and value set as
// the frame has them. On kError `request` has opcode, opaque and, with fate kSwallow, command and
// key, which is what an error reply needs.
Parsed parse_binary(std::string_view input, Request& request, const BinaryLimits& limits = {});

}  // namespace base::memcache
