// SocketAddress: a numeric IPv4 or IPv6 address with a port, as the socket calls want it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace base::net {

class SocketAddress {
 public:
  explicit SocketAddress(const sockaddr_in& v4) : size_(sizeof v4) { u_.v4 = v4; }
  explicit SocketAddress(const sockaddr_in6& v6) : size_(sizeof v6) { u_.v6 = v6; }
  const sockaddr* get() const { return &u_.any; }
  socklen_t size() const { return size_; }
  int family() const { return u_.any.sa_family; }

 private:
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } u_{};
  socklen_t size_;
};

// Nothing when `address` is not numeric.
std::optional<SocketAddress> make_socket_address(const std::string& address, uint16_t port);

}  // namespace base::net
