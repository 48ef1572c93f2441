// One datagram of the kernel's answer about its sockets, in whole and in part.
#include <cstdint>
#include <string_view>

#include "agent/conns/dump.h"
#include "base/core/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view datagram(reinterpret_cast<const char*>(data), size);
  size_t rows = 0;
  const agent::conns::RowReader count = [&rows](const agent::conns::SocketRow&) { ++rows; };
  static_cast<void>(agent::conns::read_dump(datagram, false, count).ok());
  constexpr size_t kLeast = 16;  // bytes of a message's header
  CHECK(rows <= size / kLeast);
  rows = 0;
  CHECK(!agent::conns::read_dump(datagram, true, count).ok());
  CHECK(rows == 0);
  return 0;
}
