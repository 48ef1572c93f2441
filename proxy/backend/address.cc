#include "proxy/backend/address.h"

#include <arpa/inet.h>

#include <cstring>

namespace proxy {

std::optional<SocketAddress> make_socket_address(const std::string& address, uint16_t port) {
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return SocketAddress(v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return SocketAddress(v6);
  }
  return std::nullopt;
}

std::array<uint64_t, 2> address_key(const sockaddr_storage& address) {
  std::array<uint64_t, 2> halves{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    halves[1] = 0xffff00000000ULL | ntohl(v4.sin_addr.s_addr);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    for (size_t i = 0; i < 16; ++i) {
      halves[i / 8] = halves[i / 8] << 8 | v6.sin6_addr.s6_addr[i];
    }
  }
  return halves;
}

}  // namespace proxy
