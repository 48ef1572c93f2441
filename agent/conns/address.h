// Address: an IP address as the kernel's tables hold it, and the names of TCP's states.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/hash.h"

namespace agent::conns {

using Address = std::array<uint8_t, 16>;  // IPv6, or IPv4-mapped
std::optional<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

struct AddressHash {
  size_t operator()(const Address& address) const {
    return base::hash64({reinterpret_cast<const char*>(address.data()), address.size()}, 0);
  }
};

// The kernel's numbers (include/net/tcp_states.h).
enum TcpState : uint8_t {
  kEstablished = 1,
  kSynSent = 2,
  kSynReceived = 3,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClose = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kListen = 10,
  kClosing = 11,
  kNewSynReceived = 12,
};
inline constexpr size_t kStates = 13;
std::string_view tcp_state_name(uint8_t state);  // "established"

}  // namespace agent::conns
