// Relay: stands before a name server and sees every datagram on its way there. UPDATEs can be held back,
// and a test can do something just before one is passed on.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/dns/courier.h"

namespace test {

// Thread: the io_context's. Owner: the test.
class Relay {
 public:
  Relay(boost::asio::io_context& io, const agent::dns::ServerPlace& to)
      : io_(io),
        to_(boost::asio::ip::make_address(to.address), to.port),
        socket_(io, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    listen();
  }

  std::function<void()> before_update = [] {};
  bool hold_updates = false;

  agent::dns::ServerPlace place() const {
    agent::dns::ServerPlace place;
    place.address = "127.0.0.1";
    place.port = socket_.local_endpoint().port();
    return place;
  }
  // What was held comes after all.
  void release() {
    for (const auto& [from, bytes] : std::exchange(held_, {})) pass_on(from, bytes);
  }
  size_t held() const { return held_.size(); }
  // Nothing more is waited for, so that the io_context can run out of work.
  void stop() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (auto& [from, way] : ways_) way->socket.close(ignored);
  }

 private:
  using Endpoint = boost::asio::ip::udp::endpoint;
  struct Way {
    explicit Way(boost::asio::io_context& io) : socket(io, boost::asio::ip::udp::v4()) {}
    boost::asio::ip::udp::socket socket;
    std::array<char, 4096> answer{};
  };

  void listen() {
    socket_.async_receive_from(boost::asio::buffer(datagram_), from_,
                               [this](boost::system::error_code failed, size_t n) {
                                 if (failed) return;
                                 const std::string bytes(datagram_.data(), n);
                                 const bool is_update = n > 2 && (bytes[2] >> 3 & 15) == 5;
                                 if (is_update) before_update();
                                 if (is_update && hold_updates) {
                                   held_.emplace_back(from_, bytes);
                                 } else {
                                   pass_on(from_, bytes);
                                 }
                                 listen();
                               });
  }
  void pass_on(const Endpoint& from, const std::string& bytes) {
    std::unique_ptr<Way>& way = ways_[from];
    const bool fresh = !way;
    if (fresh) {
      way = std::make_unique<Way>(io_);
      way->socket.connect(to_);
    }
    boost::system::error_code ignored;
    way->socket.send(boost::asio::buffer(bytes), 0, ignored);
    if (fresh) bring_back(from, *way);
  }
  void bring_back(Endpoint from, Way& way) {
    way.socket.async_receive(boost::asio::buffer(way.answer),
                             [this, from, &way](boost::system::error_code failed, size_t n) {
                               if (failed) return;
                               boost::system::error_code ignored;
                               socket_.send_to(boost::asio::buffer(way.answer.data(), n), from, 0,
                                               ignored);
                               bring_back(from, way);
                             });
  }

  boost::asio::io_context& io_;
  const Endpoint to_;
  boost::asio::ip::udp::socket socket_;
  Endpoint from_;
  std::array<char, 4096> datagram_{};
  std::map<Endpoint, std::unique_ptr<Way>> ways_;
  std::vector<std::pair<Endpoint, std::string>> held_;
};

}  // namespace test
