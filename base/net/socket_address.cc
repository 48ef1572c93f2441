#include "base/net/socket_address.h"

#include <arpa/inet.h>

namespace base::net {

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

}  // namespace base::net
