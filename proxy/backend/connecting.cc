#include "proxy/backend/connecting.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/core/check.h"
#include "base/net/socket_address.h"
#include "base/net/unix_socket.h"
#include "proxy/backend/keepalive.h"

namespace proxy {

base::net::UniqueFd begin_connecting(const std::string& address, uint16_t port,
                                     base::Duration keepalive) {
  if (address.starts_with('/')) {
    auto fd = base::net::connect_unix(address);
    return fd ? std::move(*fd) : base::net::UniqueFd();
  }
  const auto target = base::net::make_socket_address(address, port);
  CHECK(target.has_value());  // configure accepts numeric addresses only
  base::net::UniqueFd fd(::socket(target->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fd;
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  set_keepalive(fd.get(), keepalive);
  if (::connect(fd.get(), target->get(), target->size()) != 0 && errno != EINPROGRESS) fd.reset();
  return fd;
}

int connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace proxy
