// For tests of the mesh: real sockets on 127.x addresses, virtual time for everything that waits.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "agent/mesh/datagram.h"
#include "agent/mesh/socket.h"
#include "base/life/life.h"
#include "base/net/fd.h"
#include "tests/support/manual_time.h"

namespace test {

// A plain UDP socket, by which a test asks or answers by hand.
class Hand {
 public:
  explicit Hand(const std::string& address = "127.0.0.1") {
    fd_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in at = *agent::mesh::echo_address(address, 0);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    socklen_t size = sizeof at;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
  }
  uint16_t port() const { return port_; }

  void send(const std::string& bytes, const std::string& address, uint16_t port) {
    const sockaddr_in to = *agent::mesh::echo_address(address, port);
    ASSERT_EQ(::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(bytes.size()));
  }
  bool readable(int timeout_ms) const {
    pollfd ready{fd_.get(), POLLIN, 0};
    return ::poll(&ready, 1, timeout_ms) == 1;
  }
  // Empty when nothing comes in time.
  std::string receive(sockaddr_in* from = nullptr, int timeout_ms = 10'000) {
    if (!readable(timeout_ms)) return "";
    std::string bytes(2048, '\0');
    sockaddr_in sender{};
    socklen_t size = sizeof sender;
    const ssize_t count = ::recvfrom(fd_.get(), bytes.data(), bytes.size(), 0,
                                     reinterpret_cast<sockaddr*>(&sender), &size);
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    if (from != nullptr) *from = sender;
    return bytes;
  }

 private:
  base::net::UniqueFd fd_;
  uint16_t port_ = 0;
};

inline std::string text_of(const agent::mesh::EchoDatagram& echo) {
  const agent::mesh::EchoBytes bytes = agent::mesh::encode_echo(echo);
  return {bytes.data(), bytes.size()};
}

class MeshTest : public ::testing::Test {
 protected:
  agent::mesh::EchoSocket socket_at(const std::string& address) {
    auto socket = agent::mesh::EchoSocket::open(io_.get_executor(), address, 0);
    EXPECT_TRUE(socket.ok()) << socket.error().context;
    return std::move(*socket);
  }

  boost::asio::io_context io_;
  ManualClock clock_;
  ManualTimers timers_{io_, clock_};
  base::Gate gate_;
};

}  // namespace test
