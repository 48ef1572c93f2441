// What becomes of new TCP connections from an address of this host's own to a port of it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "base/core/check.h"
#include "base/net/fd.h"
#include "base/net/socket_address.h"
#include "base/net/wait.h"
#include "base/time/clock.h"

namespace test {

using base::net::UniqueFd;

// Listens on a port of every address, IPv4 too.
class Listener {
 public:
  explicit Listener(uint16_t port) : fd_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int no = 0, yes = 1;
    ::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const auto at = base::net::make_socket_address("::", port);
    CHECK(::bind(fd_.get(), at->get(), at->size()) == 0);
    CHECK(::listen(fd_.get(), 1024) == 0);
  }
  UniqueFd accept() { return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  UniqueFd fd_;
};

enum class Arrival { kConnected, kRefused, kSilence };

struct Connection {
  UniqueFd fd;
  Arrival arrival = Arrival::kSilence;
};

// Begins to connect; wait_arrival() tells what comes of it.
inline UniqueFd begin_connect(const std::string& from, const std::string& to, uint16_t port) {
  const auto source = base::net::make_socket_address(from, 0);
  const auto target = base::net::make_socket_address(to, port);
  UniqueFd fd(::socket(source->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const linger abort{1, 0};  // leaves no TIME_WAIT behind
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  CHECK(::bind(fd.get(), source->get(), source->size()) == 0);
  const int done = ::connect(fd.get(), target->get(), target->size());
  CHECK(done == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
  return fd;
}
inline Arrival wait_arrival(const UniqueFd& fd, base::Duration patience) {
  const base::SystemClock clock;
  if (!base::net::wait_ready(fd.get(), POLLOUT, clock.now() + patience)) return Arrival::kSilence;
  sockaddr_in6 peer{};
  socklen_t size = sizeof peer;
  const bool is_connected = ::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &size) == 0;
  return is_connected ? Arrival::kConnected : Arrival::kRefused;
}
inline Connection connect_from(const std::string& from, const std::string& to, uint16_t port,
                               base::Duration patience = std::chrono::milliseconds(500)) {
  Connection made;
  made.fd = begin_connect(from, to, port);
  made.arrival = wait_arrival(made.fd, patience);
  return made;
}

}  // namespace test
