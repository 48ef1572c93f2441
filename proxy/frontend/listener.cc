#include "proxy/frontend/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/net/socket_address.h"
#include "base/telemetry/log.h"
#include "proxy/backend/address.h"
#include "proxy/frontend/worker.h"

namespace proxy {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr int kBacklog = 1024;

base::Error bind_error(const std::string& address, uint16_t port, int number) {
  const std::string where = address + ":" + std::to_string(port);
  if (number == EADDRINUSE) {
    return base::Error(base::ErrorCode::kExists,
                       "cannot listen on " + where +
                           ": the port is in use; stop whoever listens there or choose another");
  }
  if (number == EACCES) {
    return base::Error(
        base::ErrorCode::kPermission,
        "cannot listen on " + where + ": no right to a port below 1024; choose a higher one");
  }
  return base::Error(base::ErrorCode::kIo,
                     "cannot listen on " + where + ": " + std::strerror(number));
}

}  // namespace

base::Result<base::net::UniqueFd> open_listening_socket(const std::string& address, uint16_t& port,
                                                        bool exclusive) {
  const auto make = [&](bool reuse_port) -> base::Result<base::net::UniqueFd> {
    const auto where = base::net::make_socket_address(address, port);
    CHECK(where.has_value());  // checked with the configuration
    base::net::UniqueFd fd(
        ::socket(where->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (!fd.valid()) return bind_error(address, port, errno);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (reuse_port) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (::bind(fd.get(), where->get(), where->size()) != 0) {
      return bind_error(address, port, errno);
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    port = ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);  // same place in IPv6
    return fd;
  };
  if (exclusive) {
    auto probe = make(false);
    if (!probe) return probe.error();
  }
  auto fd = make(true);
  if (!fd) return fd.error();
  if (::listen(fd->get(), kBacklog) != 0) return bind_error(address, port, errno);
  return fd;
}

Listener::Listener(Worker& worker, base::net::UniqueFd fd, const Entrance& entrance)
    : worker_(worker),
      fd_(std::move(fd)),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      entrance_(entrance) {}

void Listener::on_ready(uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one()) return;
  }
}

// False when nobody is waiting.
bool Listener::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  base::net::UniqueFd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.valid()) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    worker_.arrive(std::move(fd), address_key(address), entrance_);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE) {
    refuse_for_want_of_descriptors();
    return spare_.valid();
  }
  return errno == EINTR || errno == ECONNABORTED;
}

void Listener::refuse_for_want_of_descriptors() {
  base::log::error("descriptors_exhausted", {{"hint", "raise the limit of open files"}});
  spare_.reset();
  base::net::UniqueFd refused(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (refused.valid()) {
    worker_.cells().connections_refused.add();
    worker_.cells().failures[size_t(base::telemetry::Failure::kConnectionLimit)].add();
  }
  refused.reset();
  spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace proxy
