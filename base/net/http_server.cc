#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <set>

#include "base/net/http.h"
#include "base/net/http_connection.h"
#include "base/net/http_request.h"
#include "base/net/http_text.h"

namespace base::net {
namespace {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;

constexpr Duration kRequestTime = 10s;  // to send a request, from its first byte
constexpr Duration kIdleTime = 30s;     // between requests
constexpr Duration kWriteTime = 30s;    // to take a response
constexpr Duration kFarewellTime = 1s;  // to read our last words
constexpr Duration kSweepEvery = 500ms;
constexpr Duration kAcceptPause = 50ms;
constexpr Duration kDrainTime = 1s;  // for requests under way when the server stops
constexpr Duration kStopPatience = 5s;
constexpr size_t kMaxFarewells = 32;  // refused connections that get a 503; beyond, just a close

using ConnectionPtr = std::shared_ptr<HttpConnection>;

class AsioHttpServer final : public HttpServer {
 public:
  AsioHttpServer(asio::any_io_executor executor, Timers& timers, Options options, Handler handler)
      : executor_(std::move(executor)),
        timers_(timers),
        options_(std::move(options)),
        handler_(std::move(handler)),
        acceptor_(executor_) {}

  Result<> bind();
  uint16_t port() const override { return port_; }
  asio::awaitable<void> stop() override;

 private:
  Error bind_error(const boost::system::error_code& failure) const;
  Instant now() { return timers_.clock().now(); }

  asio::awaitable<void> accept_all();
  asio::awaitable<void> sweep();
  asio::awaitable<void> sweep_until_stopped();
  asio::awaitable<void> serve(ConnectionPtr connection);
  asio::awaitable<void> refuse(ConnectionPtr connection);
  // False when the connection ended instead.
  asio::awaitable<bool> read_request(ConnectionPtr connection, HttpRequestReader& reader,
                                     std::string& bytes);
  asio::awaitable<HttpResponse> run_handler(ConnectionPtr connection, HttpRequest request);
  asio::awaitable<bool> write(ConnectionPtr connection, std::string text);
  asio::awaitable<void> stream_events(ConnectionPtr connection, HttpResponse response);
  asio::awaitable<void> say_farewell(ConnectionPtr connection, int status);

  // Constant after construction and bind().
  asio::any_io_executor executor_;
  Timers& timers_;
  Options options_;
  Handler handler_;
  uint16_t port_ = 0;
  // Owned by the executor's thread.
  tcp::acceptor acceptor_;
  asio::cancellation_signal stop_sweep_;
  std::set<ConnectionPtr> connections_;
  size_t serving_ = 0;
  bool stopping_ = false;
  Gate gate_;
};

Error AsioHttpServer::bind_error(const boost::system::error_code& failure) const {
  const std::string what = options_.name + ": ";
  const std::string place = "port " + std::to_string(options_.port) + " on " + options_.address;
  if (failure == asio::error::address_in_use) {
    return Error(ErrorCode::kExists,
                 what + place + " is in use: stop what listens there or choose another port");
  }
  if (failure == asio::error::access_denied) {
    return Error(ErrorCode::kPermission,
                 what + "may not listen on " + place + ": ports below 1024 need privileges");
  }
  return Error(ErrorCode::kUnavailable,
               what + "cannot listen on " + place + ": " + failure.message());
}

Result<> AsioHttpServer::bind() {
  boost::system::error_code failure;
  const auto address = asio::ip::make_address(options_.address, failure);
  if (failure) {
    return Error(ErrorCode::kInvalid, options_.name + ": address \"" + options_.address +
                                          "\": expected an IP address like 127.0.0.1");
  }
  const tcp::endpoint endpoint(address, options_.port);
  if (!failure) acceptor_.open(endpoint.protocol(), failure);
  if (!failure) acceptor_.set_option(asio::socket_base::reuse_address(true), failure);
  if (!failure) acceptor_.bind(endpoint, failure);
  if (!failure) acceptor_.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) return bind_error(failure);
  port_ = acceptor_.local_endpoint(failure).port();
  spawn(executor_, gate_, "http accept", accept_all());
  spawn(executor_, gate_, "http sweep", sweep_until_stopped());
  return {};
}

asio::awaitable<void> AsioHttpServer::stop() {
  stopping_ = true;
  gate_.close();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  stop_sweep_.emit(asio::cancellation_type::terminal);
  for (const auto& connection : connections_) {
    if (connection->idle) connection->close();
  }
  co_await gate_.wait_empty(timers_, now() + kDrainTime);
  const auto remaining = connections_;
  for (const auto& connection : remaining) {
    connection->cancel.emit(asio::cancellation_type::terminal);
    connection->close();
  }
  co_await gate_.wait_empty(timers_, now() + kStopPatience);
}

asio::awaitable<void> AsioHttpServer::accept_all() {
  while (!stopping_) {
    boost::system::error_code failure;
    tcp::socket socket = co_await acceptor_.async_accept(redirect_error(use_awaitable, failure));
    if (stopping_) co_return;
    if (failure) {
      // Out of descriptors, most likely: trying again at once would spin.
      co_await timers_.wait_for(kAcceptPause);
      continue;
    }
    socket.set_option(tcp::no_delay(true), failure);
    // A peer that vanished without a word is noticed although nobody waits for its answer.
    const unsigned unacknowledged_ms = 30'000;
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
                 sizeof unacknowledged_ms);
    auto connection = std::make_shared<HttpConnection>(std::move(socket));
    if (serving_ < options_.max_connections) {
      spawn(executor_, gate_, "http connection", serve(std::move(connection)));
    } else if (connections_.size() < options_.max_connections + kMaxFarewells) {
      spawn(executor_, gate_, "http refusal", refuse(std::move(connection)));
    }
  }
}

asio::awaitable<void> AsioHttpServer::sweep_until_stopped() {
  try {
    co_await asio::co_spawn(executor_, sweep(),
                            asio::bind_cancellation_slot(stop_sweep_.slot(), use_awaitable));
  } catch (const boost::system::system_error&) {
    // Cancelled by stop().
  }
}

asio::awaitable<void> AsioHttpServer::sweep() {
  while (!stopping_) {
    co_await timers_.wait_for_beat(kSweepEvery);
    for (const auto& connection : connections_) {
      if (connection->deadline <= now()) connection->close();
    }
  }
}

asio::awaitable<void> AsioHttpServer::serve(ConnectionPtr connection) {
  connections_.insert(connection);
  ++serving_;
  std::string bytes;
  bool more = true;
  while (more && !stopping_) {
    HttpRequestReader reader;
    const bool has_request = co_await read_request(connection, reader, bytes);
    if (!has_request) break;
    if (reader.bad()) {
      co_await say_farewell(connection, reader.bad_status());
      break;
    }
    HttpRequest request = reader.take();
    request.peer = connection->peer;
    ResponseShape shape;
    shape.head = request.method == "HEAD";
    if (shape.head) request.method = "GET";
    shape.keep_alive = more = reader.keep_alive() && !stopping_;
    shape.accept_encoding = request.headers["accept-encoding"];
    shape.if_none_match = request.headers["if-none-match"];
    HttpResponse response = co_await run_handler(connection, std::move(request));
    shape.now = timers_.clock().wall();
    const bool stream = response.events && !shape.head;
    std::string text = format_response(response, shape);
    const bool written = co_await write(connection, std::move(text));
    if (!written) break;
    if (stream) {
      co_await stream_events(connection, std::move(response));
      break;
    }
  }
  connection->close();
  connections_.erase(connection);
  --serving_;
}

asio::awaitable<bool> AsioHttpServer::read_request(ConnectionPtr connection,
                                                   HttpRequestReader& reader, std::string& bytes) {
  connection->idle = bytes.empty();
  connection->deadline = now() + (connection->idle ? kIdleTime : kRequestTime);
  reader.feed(bytes);
  char chunk[8192];
  while (!reader.done() && !reader.bad()) {
    boost::system::error_code failure;
    const size_t count = co_await connection->socket.async_read_some(
        asio::buffer(chunk), redirect_error(use_awaitable, failure));
    if (failure) co_return false;
    if (connection->idle) connection->deadline = now() + kRequestTime;
    connection->idle = false;
    bytes.append(chunk, count);
    reader.feed(bytes);
    if (reader.wants_continue()) {
      // Named: GCC 12 destroys the temporary of a co_await that was never reached.
      std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      const bool written = co_await write(connection, std::move(go_on));
      if (!written) co_return false;
    }
  }
  connection->deadline = Instant{INT64_MAX};
  co_return true;
}

asio::awaitable<HttpResponse> AsioHttpServer::run_handler(ConnectionPtr connection,
                                                          HttpRequest request) {
  HttpResponse failed;
  try {
    co_return co_await asio::co_spawn(
        executor_, handler_(std::move(request)),
        asio::bind_cancellation_slot(connection->cancel.slot(), use_awaitable));
  } catch (const std::exception&) {
    failed.status = stopping_ ? 503 : 500;
    failed.body = stopping_ ? "stopping\n" : "internal error\n";
  }
  co_return failed;
}

asio::awaitable<bool> AsioHttpServer::write(ConnectionPtr connection, std::string text) {
  const Instant before = connection->deadline;
  connection->deadline = std::min(before, now() + kWriteTime);
  boost::system::error_code failure;
  co_await asio::async_write(connection->socket, asio::buffer(text),
                             redirect_error(use_awaitable, failure));
  connection->deadline = before;
  co_return !failure;
}

asio::awaitable<void> AsioHttpServer::stream_events(ConnectionPtr connection,
                                                    HttpResponse response) {
  connection->idle = true;
  auto stream = std::make_shared<SocketEventStream>(connection);
  response.events(stream);
  response = HttpResponse();
  // The client has nothing more to say; reading tells us when it leaves.
  char chunk[512];
  boost::system::error_code failure;
  while (!failure && !stopping_ && stream->open()) {
    co_await connection->socket.async_read_some(asio::buffer(chunk),
                                                redirect_error(use_awaitable, failure));
  }
  stream->detach();
}

asio::awaitable<void> AsioHttpServer::refuse(ConnectionPtr connection) {
  connections_.insert(connection);
  co_await say_farewell(connection, 503);
  connection->close();
  connections_.erase(connection);
}

// A close with unread bytes in the socket would reset it and destroy the answer on its way, so what
// the client still sends is read until it has read ours.
asio::awaitable<void> AsioHttpServer::say_farewell(ConnectionPtr connection, int status) {
  connection->deadline = now() + kFarewellTime;
  HttpResponse response;
  response.status = status;
  response.body = std::string(reason_phrase(status)) + "\n";
  ResponseShape shape;
  shape.now = timers_.clock().wall();
  std::string text = format_response(std::move(response), shape);
  const bool written = co_await write(connection, std::move(text));
  if (!written) co_return;
  connection->idle = true;
  boost::system::error_code failure;
  connection->socket.shutdown(tcp::socket::shutdown_send, failure);
  char chunk[8192];
  while (!failure && !stopping_) {
    co_await connection->socket.async_read_some(asio::buffer(chunk),
                                                redirect_error(use_awaitable, failure));
  }
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(asio::any_io_executor executor,
                                                       Timers& timers, Options options,
                                                       Handler handler) {
  auto server = std::make_unique<AsioHttpServer>(std::move(executor), timers, std::move(options),
                                                 std::move(handler));
  if (auto bound = server->bind(); !bound) return bound.error();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace base::net
