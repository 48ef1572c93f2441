// EchoSocket: a UDP socket of IPv4 that reads and writes datagrams in batches.
//
// The kernel stamps each datagram as it comes in (SO_TIMESTAMPNS), so that the time for which it lay
// there until somebody read is known and is nobody's round trip. Without stamps that time counts as 0.
//
// Only who waits for datagrams is woken by them: a socket that asio watches wakes its thread for each,
// which would be most of what the echoes of a calm agent cost.
#pragma once

#include <netinet/in.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/udp.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mesh/datagram.h"
#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/clock.h"

namespace agent::mesh {

// After something was refused: whoever floods is read no faster than this, the kernel drops the rest.
inline constexpr base::Duration kPauseAfterRefusal = std::chrono::milliseconds(20);

// Address and port as one number, for maps.
using EchoPlace = uint64_t;
inline EchoPlace place_of(const sockaddr_in& address) {
  return uint64_t{address.sin_addr.s_addr} << 16 | address.sin_port;
}

struct Arrival {
  sockaddr_in from{};
  std::string_view bytes;    // until the next receive()
  base::Duration waited{0};  // for being read
};

struct Departure {
  sockaddr_in to{};
  EchoBytes bytes{};
};

// Thread: the executor's. Owner: the prober or the responder.
class EchoSocket {
 public:
  static constexpr size_t kBatch = 32;

  // Port 0: any free one. kInvalid: no IPv4 address. kExists: the port is taken.
  static base::Result<EchoSocket> open(const boost::asio::any_io_executor& executor,
                                       const std::string& address, uint16_t port);

  bool is_open() const { return fd_.valid(); }
  // False: closed, or it cannot be waited for just now.
  boost::asio::awaitable<bool> wait_readable();
  // What is there, at most kBatch; longer datagrams are cut, and so are none.
  std::span<const Arrival> receive(base::WallTime now);
  // What cannot be sent is dropped, as the network would.
  void send(std::span<const Departure> departures);
  void close();
  uint16_t port() const;

 private:
  EchoSocket(boost::asio::any_io_executor executor, base::net::UniqueFd fd)
      : executor_(std::move(executor)), fd_(std::move(fd)) {}

  boost::asio::any_io_executor executor_;
  base::net::UniqueFd fd_;
  std::optional<boost::asio::ip::udp::socket>
      watched_;  // a second descriptor, since the first wait
  // One byte more than an echo has: what is longer shows.
  std::array<std::array<char, kEchoBytes + 1>, kBatch> buffers_{};
  std::array<Arrival, kBatch> arrivals_{};
};

// Nothing when `address` is no IPv4 address.
std::optional<sockaddr_in> echo_address(const std::string& address, uint16_t port);

}  // namespace agent::mesh
