#include "agent/mesh/datagram.h"

#include <algorithm>
#include <limits>

namespace agent::mesh {
namespace {

constexpr uint32_t kMagic = 0x6d636765;  // "mcge"
constexpr uint8_t kVersion = 1;

template <class Number>
void put(char* at, Number number) {
  for (size_t i = 0; i < sizeof number; ++i) {
    at[i] = static_cast<char>(number >> (8 * (sizeof number - 1 - i)));
  }
}

template <class Number>
Number take(const char* at) {
  Number number = 0;
  for (size_t i = 0; i < sizeof number; ++i) {
    number = static_cast<Number>(number << 8 | static_cast<uint8_t>(at[i]));
  }
  return number;
}

}  // namespace

EchoBytes encode_echo(const EchoDatagram& echo) {
  constexpr int64_t kLongest = std::numeric_limits<uint32_t>::max();
  EchoBytes bytes{};
  put(bytes.data(), kMagic);
  bytes[4] = kVersion;
  bytes[5] = static_cast<char>(echo.kind);
  put(bytes.data() + 8, echo.sequence);
  put(bytes.data() + 12,
      static_cast<uint32_t>(std::clamp<int64_t>(echo.dwell.count(), 0, kLongest)));
  put(bytes.data() + 16, echo.nonce);
  put(bytes.data() + 24, static_cast<uint64_t>(echo.sent.ns));
  return bytes;
}

std::optional<EchoDatagram> parse_echo(std::string_view bytes) {
  if (bytes.size() != kEchoBytes || take<uint32_t>(bytes.data()) != kMagic) return std::nullopt;
  const auto kind = static_cast<EchoDatagram::Kind>(bytes[5]);
  const bool known = kind == EchoDatagram::Kind::kQuestion || kind == EchoDatagram::Kind::kAnswer;
  if (bytes[4] != kVersion || !known || bytes[6] != 0 || bytes[7] != 0) return std::nullopt;
  EchoDatagram echo;
  echo.kind = kind;
  echo.sequence = take<uint32_t>(bytes.data() + 8);
  echo.dwell = base::Duration(take<uint32_t>(bytes.data() + 12));
  echo.nonce = take<uint64_t>(bytes.data() + 16);
  echo.sent.ns = static_cast<int64_t>(take<uint64_t>(bytes.data() + 24));
  return echo;
}

}  // namespace agent::mesh
