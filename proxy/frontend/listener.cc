#include "proxy/frontend/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/net/socket_address.h"
#include "base/telemetry/log.h"
#include "proxy/backend/address.h"
#include "proxy/backend/keepalive.h"
#include "proxy/frontend/spare_descriptors.h"
#include "proxy/frontend/worker.h"

namespace proxy {
namespace {

constexpr int kAcceptsPerTurn = 32;
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
    : worker_(worker), fd_(std::move(fd)), entrance_(entrance) {
  SpareDescriptors::of_process().grow();
}

Listener::~Listener() {
  SpareDescriptors::of_process().shrink();
}

void Listener::set_keepalive(base::Duration patience) {
  proxy::set_keepalive(fd_.get(), patience);
}

void Listener::on_ready(uint32_t) {
  if (!worker_.may_accept()) {
    rest(Rest::kForTime);
    return worker_.note_listener_waits();
  }
  for (int i = 0; i < kAcceptsPerTurn && worker_.may_accept(); ++i) {
    const Worker::StrangersTime time(worker_);
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
    SpareDescriptors& spares = SpareDescriptors::of_process();
    if (spares.is_short() && !spares.refill()) {
      refuse(std::move(fd));
      return true;
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    worker_.lobby().enter(std::move(fd), address_key(address), entrance_);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE) return refuse_for_want_of_descriptors();
  return errno == EINTR || errno == ECONNABORTED;
}

// False when nobody could be.
bool Listener::refuse_for_want_of_descriptors() {
  SpareDescriptors& spares = SpareDescriptors::of_process();
  spares.take().reset();
  base::net::UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.valid()) {
    const bool nobody_waits = errno == EAGAIN || errno == EWOULDBLOCK;
    spares.refill();
    if (!nobody_waits) rest(Rest::kForDescriptors);
    return false;
  }
  refuse(std::move(client));
  return true;
}

// What was its descriptor becomes a spare one.
void Listener::refuse(base::net::UniqueFd client) {
  base::log::error("descriptors_exhausted", {{"hint", "raise the limit of open files"}});
  worker_.refuse(client.get(), entrance_, base::telemetry::Failure::kDescriptors);
  SpareDescriptors::of_process().put_back(std::move(client));
}

// Whoever waits goes on waiting, and the loop does not turn round and round for them.
void Listener::rest(Rest rest) {
  worker_.loop().change(fd_.get(), *this, 0);
  rest_ = rest;
}

void Listener::on_time() {
  if (rest_ == Rest::kForTime) on_tick();
}

void Listener::on_tick() {
  if (rest_ == Rest::kNo) return;
  rest_ = Rest::kNo;
  worker_.loop().change(fd_.get(), *this, EPOLLIN);
}

}  // namespace proxy
