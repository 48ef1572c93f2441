// TcpBed: a listener on an address of its own and connections to it, for tests that count them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <deque>
#include <string>
#include <utility>

#include "base/core/check.h"
#include "base/net/fd.h"

namespace test {

// Thread: one. Both ends of its connections belong to this process.
class TcpBed {
 public:
  explicit TcpBed(const std::string& address, int connections = 0) {
    const bool ipv6 = address.find(':') != std::string::npos;
    sockaddr_storage at{};
    socklen_t size = 0;
    if (ipv6) {
      auto* name = reinterpret_cast<sockaddr_in6*>(&at);
      name->sin6_family = AF_INET6;
      CHECK(inet_pton(AF_INET6, address.c_str(), &name->sin6_addr) == 1);
      size = sizeof *name;
    } else {
      auto* name = reinterpret_cast<sockaddr_in*>(&at);
      name->sin_family = AF_INET;
      CHECK(inet_pton(AF_INET, address.c_str(), &name->sin_addr) == 1);
      size = sizeof *name;
    }
    listening_ = base::net::UniqueFd(::socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(listening_.valid());
    CHECK(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
    CHECK(::listen(listening_.get(), 128) == 0);
    name_size_ = sizeof name_;
    CHECK(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&name_), &name_size_) == 0);
    for (int i = 0; i < connections; ++i) connect();
  }

  uint16_t port() const {
    return ntohs(name_.ss_family == AF_INET6
                     ? reinterpret_cast<const sockaddr_in6*>(&name_)->sin6_port
                     : reinterpret_cast<const sockaddr_in*>(&name_)->sin_port);
  }
  int listener() const { return listening_.get(); }
  size_t size() const { return pairs_.size(); }

  // One more; `source`: the client's IPv4 address, empty: the kernel's choice.
  void connect(const std::string& source = "") { pairs_.push_back(open(source)); }
  // The oldest one ends, the server's end first: what remains is its TIME_WAIT.
  void close_oldest() { pairs_.pop_front(); }
  // One ends by its client's reset: nothing remains.
  void reset_oldest() {
    reset(pairs_.front());
    pairs_.pop_front();
  }
  void reset_newest() {
    reset(pairs_.back());
    pairs_.pop_back();
  }
  // The client's end alone: the server's goes to CLOSE_WAIT.
  void half_close(size_t at) { pairs_[at].client.reset(); }
  // Opens one and resets it: nothing remains.
  void open_and_reset(const std::string& source = "") {
    Pair pair = open(source);
    reset(pair);
  }

 private:
  // Closed in the order of declaration's reverse: the server's end first.
  struct Pair {
    base::net::UniqueFd client, server;
  };
  static void reset(Pair& pair) {
    const linger abort{1, 0};
    ::setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    pair.client.reset();
  }
  Pair open(const std::string& source) {
    Pair pair;
    pair.client = base::net::UniqueFd(::socket(name_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(pair.client.valid());
    if (!source.empty()) {
      const int late = 1;  // the port is chosen by connect, so that it may be used with others too
      ::setsockopt(pair.client.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
      sockaddr_in from{};
      from.sin_family = AF_INET;
      CHECK(inet_pton(AF_INET, source.c_str(), &from.sin_addr) == 1);
      CHECK(::bind(pair.client.get(), reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
    }
    CHECK(::connect(pair.client.get(), reinterpret_cast<sockaddr*>(&name_), name_size_) == 0);
    pair.server = base::net::UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(pair.server.valid());
    return pair;
  }

  base::net::UniqueFd listening_;
  sockaddr_storage name_{};
  socklen_t name_size_ = 0;
  std::deque<Pair> pairs_;
};

}  // namespace test
