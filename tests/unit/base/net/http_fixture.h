// A server on a free port with a few handlers, and a client that speaks raw bytes to it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>

#include "base/net/fd.h"
#include "base/net/http.h"
#include "tests/support/server_thread.h"

namespace base::net {

// Blocking reads, each at most 10 s.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Up to and including `end`.
  std::string read_until(std::string_view end) {
    std::string text;
    while (text.find(end) == std::string::npos && read_some(text)) {
    }
    EXPECT_NE(text.find(end), std::string::npos) << text;
    return text;
  }
  std::string read_all() {
    std::string text;
    while (read_some(text)) {
    }
    return text;
  }
  // False when the connection has ended or nothing came.
  bool read_some(std::string& text, int timeout_ms = 10'000) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, timeout_ms) <= 0) return false;
    char chunk[4096];
    const ssize_t count = ::recv(fd_.get(), chunk, sizeof chunk, 0);
    if (count <= 0) return false;
    text.append(chunk, static_cast<size_t>(count));
    return true;
  }
  // Whether the other side has closed, at this instant.
  bool closed() const {
    char byte = 0;
    return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }

 private:
  UniqueFd fd_;
};

inline boost::asio::awaitable<HttpResponse> answer_not_found(HttpRequest) {
  HttpResponse response;
  response.status = 404;
  co_return response;
}

// HttpServer::listen on the server's thread.
inline Result<std::unique_ptr<HttpServer>> listen_on(
    test::ServerThread& thread, HttpServer::Options options,
    HttpServer::Handler handler = answer_not_found) {
  std::optional<Result<std::unique_ptr<HttpServer>>> listening;
  const auto start = [&]() -> boost::asio::awaitable<void> {
    listening = HttpServer::listen(thread.executor(), thread.timers(), options, handler);
    co_return;
  };
  thread.run(start());
  return std::move(*listening);
}

class HttpServerTest : public ::testing::Test {
 protected:
  static constexpr size_t kMaxConnections = 8;

  HttpServerTest() {
    HttpServer::Options options;
    options.max_connections = kMaxConnections;
    auto listening = listen_on(thread_, options,
                               [this](HttpRequest request) { return handle(std::move(request)); });
    EXPECT_TRUE(listening.ok());
    server_ = std::move(*listening);
    port_ = server_->port();
  }
  ~HttpServerTest() override { stop(); }

  void stop() {
    if (!server_) return;
    thread_.run(server_->stop());
    server_.reset();
  }
  uint16_t port() const { return port_; }
  std::string url(std::string_view target) const {
    return "http://127.0.0.1:" + std::to_string(port()) + std::string(target);
  }
  Result<HttpResponse> get(std::string_view target) const {
    HttpCall call;
    call.url = url(target);
    return http_call_blocking(call);
  }
  // On the newest event stream.
  bool send_event(std::string data) { return thread_.run(send_one(std::move(data))); }
  template <class Condition>
  bool eventually(Condition condition) {
    const SystemClock clock;
    const Instant end = clock.now() + 10s;
    while (clock.now() < end) {
      if (condition()) return true;
    }
    return false;
  }

 private:
  boost::asio::awaitable<bool> send_one(std::string data) {
    co_return stream_ && stream_->send("status", data);
  }

  boost::asio::awaitable<HttpResponse> handle(HttpRequest request) {
    HttpResponse response;
    if (request.path == "/echo") {
      response.body = request.headers["x-color"] + " " + request.body;
    } else if (request.path == "/throw") {
      throw std::runtime_error("a secret");
    } else if (request.path == "/never") {
      co_await thread_.timers().wait_for(1h);
    } else if (request.path == "/events") {
      response.events = [this](std::shared_ptr<EventStream> stream) {
        stream_ = std::move(stream);
        stream_->send("status", "{\"n\":1}");
      };
    } else {
      response.body = request.method + " " + request.path + " " + request.query["name"];
    }
    co_return response;
  }

  test::ServerThread thread_;
  std::shared_ptr<EventStream> stream_;  // outlives the server, as a handler's may
  std::unique_ptr<HttpServer> server_;
  uint16_t port_ = 0;
};

}  // namespace base::net
