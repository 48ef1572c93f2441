#include "agent/mesh/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/net/arrival.h"
#include "base/net/socket_address.h"

namespace agent::mesh {
namespace {

using base::Error;
using base::ErrorCode;

// What the answers of a round may fill, and a flood: about five hundred datagrams.
constexpr int kBuffer = 192 << 10;

}  // namespace

std::optional<sockaddr_in> echo_address(const std::string& address, uint16_t port) {
  const auto parsed = base::net::make_socket_address(address, port);
  if (!parsed || parsed->family() != AF_INET) return std::nullopt;
  sockaddr_in four{};
  memcpy(&four, parsed->get(), sizeof four);
  return four;
}

base::Result<EchoSocket> EchoSocket::open(const boost::asio::any_io_executor& executor,
                                          const std::string& address, uint16_t port) {
  const auto place = echo_address(address, port);
  const std::string name = "echoes on " + address + ":" + std::to_string(port) + "/udp";
  if (!place) return Error(ErrorCode::kInvalid, name + ": expected an IPv4 address");
  base::net::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Error(ErrorCode::kUnavailable, name + ": " + strerror(errno));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*place), sizeof *place) != 0) {
    const ErrorCode code = errno == EADDRINUSE ? ErrorCode::kExists : ErrorCode::kUnavailable;
    return Error(code, name + ": " + strerror(errno));
  }
  return EchoSocket(executor, std::move(fd));
}

boost::asio::awaitable<bool> EchoSocket::wait_readable() {
  if (!fd_.valid()) co_return false;
  boost::system::error_code failed;
  if (!watched_) {
    base::net::UniqueFd second(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
    watched_.emplace(executor_);
    watched_->assign(boost::asio::ip::udp::v4(), second.get(), failed);
    if (failed) {
      watched_.reset();
      co_return false;
    }
    second.release();
  }
  co_await watched_->async_wait(boost::asio::ip::udp::socket::wait_read,
                                boost::asio::redirect_error(boost::asio::use_awaitable, failed));
  co_return !failed;
}

std::span<const Arrival> EchoSocket::receive(base::WallTime now) {
  if (!fd_.valid()) return {};
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts{};
  std::array<base::net::ArrivalControl, kBatch> controls{};
  for (size_t i = 0; i < kBatch; ++i) {
    parts[i] = {buffers_[i].data(), buffers_[i].size()};
    msghdr& header = messages[i].msg_hdr;
    header.msg_name = &arrivals_[i].from;
    header.msg_namelen = sizeof arrivals_[i].from;
    header.msg_iov = &parts[i];
    header.msg_iovlen = 1;
    header.msg_control = controls[i].bytes;
    header.msg_controllen = sizeof controls[i].bytes;
  }
  const int count = ::recvmmsg(fd_.get(), messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (count <= 0) return {};
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    arrivals_[i].bytes = std::string_view(buffers_[i].data(), messages[i].msg_len);
    arrivals_[i].waited = base::net::waited_in_kernel(messages[i].msg_hdr, now);
  }
  return std::span<const Arrival>(arrivals_.data(), static_cast<size_t>(count));
}

void EchoSocket::send(std::span<const Departure> departures) {
  while (!departures.empty() && fd_.valid()) {
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts{};
    const size_t count = std::min(departures.size(), kBatch);
    for (size_t i = 0; i < count; ++i) {
      const Departure& each = departures[i];
      parts[i] = {const_cast<char*>(each.bytes.data()), each.bytes.size()};
      msghdr& header = messages[i].msg_hdr;
      header.msg_name = const_cast<sockaddr_in*>(&each.to);
      header.msg_namelen = sizeof each.to;
      header.msg_iov = &parts[i];
      header.msg_iovlen = 1;
    }
    const int sent =
        ::sendmmsg(fd_.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
    // The first of them failed: it is dropped, the others have their turn.
    departures = departures.subspan(sent > 0 ? static_cast<size_t>(sent) : 1);
  }
}

void EchoSocket::close() {
  boost::system::error_code ignored;
  if (watched_) watched_->close(ignored);
  fd_.reset();
}

uint16_t EchoSocket::port() const {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &size);
  return ntohs(at.sin_port);
}

}  // namespace agent::mesh
