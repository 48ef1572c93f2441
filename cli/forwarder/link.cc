#include "cli/forwarder/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

namespace cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::net::UniqueFd;

constexpr size_t kChunk = 64u << 10;

base::Result<sockaddr_in> address_of(const LinkPlace& place) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(place.port);
  if (::inet_pton(AF_INET, place.address.c_str(), &address.sin_addr) != 1) {
    return Error(ErrorCode::kInvalid,
                 "address \"" + place.address + "\": expected an IPv4 address like 127.0.1.11");
  }
  return address;
}

UniqueFd open_socket() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Error failed(const char* what, const LinkPlace& place, int failure) {
  const ErrorCode code = failure == EADDRINUSE ? ErrorCode::kExists : ErrorCode::kUnavailable;
  return Error(code, std::string(what) + " " + place.address + ":" + std::to_string(place.port) +
                         ": " + strerror(failure));
}

}  // namespace

base::Result<UniqueFd> listen_at(const LinkPlace& place) {
  auto address = address_of(place);
  if (!address) return address.error();
  UniqueFd fd = open_socket();
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return failed("cannot listen on", place, errno);
  }
  return fd;
}

base::Result<UniqueFd> begin_connect(const LinkPlace& place) {
  auto address = address_of(place);
  if (!address) return address.error();
  UniqueFd fd = open_socket();
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 &&
      errno != EINPROGRESS) {
    return failed("cannot connect to", place, errno);
  }
  return fd;
}

base::Result<UniqueFd> datagrams_at(const LinkPlace& place) {
  auto address = address_of(place);
  if (!address) return address.error();
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return failed("cannot take datagrams on", place, errno);
  }
  return fd;
}

base::Result<UniqueFd> datagrams_to(const LinkPlace& place) {
  auto address = address_of(place);
  if (!address) return address.error();
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return failed("cannot send datagrams to", place, errno);
  }
  return fd;
}

uint16_t bound_port(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

Flow read_chunk(LinkEnd& from, std::string& chunk) {
  chunk.resize(kChunk);
  const ssize_t count = ::recv(from.fd.get(), chunk.data(), chunk.size(), 0);
  const int failure = errno;
  chunk.resize(count > 0 ? static_cast<size_t>(count) : 0);
  if (count == 0) from.read_closed = true;
  const bool nothing_yet = failure == EAGAIN || failure == EINTR;
  return count < 0 && !nothing_yet ? Flow::kBroken : Flow::kGoesOn;
}

Flow write_ready(LinkEnd& to, base::Instant now) {
  for (std::string_view bytes; !(bytes = to.out.ready(now)).empty();) {
    const ssize_t count = ::send(to.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      const bool later = errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
      return later ? Flow::kGoesOn : Flow::kBroken;
    }
    to.out.consume(static_cast<size_t>(count));
  }
  return Flow::kGoesOn;
}

}  // namespace cli
