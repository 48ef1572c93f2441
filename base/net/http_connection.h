// One connection of an HttpServer, and the stream of events it may turn into.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "base/net/http.h"

namespace base::net {

// Thread: the server's executor. Owner: its serving coroutine; a write of events that is under way
// shares it. Invariant: the sweeper closes the socket once `deadline` has passed.
struct HttpConnection {
  explicit HttpConnection(boost::asio::ip::tcp::socket s);
  void close();

  boost::asio::ip::tcp::socket socket;
  boost::asio::cancellation_signal cancel;  // of the handler that runs for it
  Instant deadline{INT64_MAX};
  bool idle = true;  // between requests: may be closed at once
  std::string peer;
};

// A bounded buffer in front of the socket. Writes are callbacks, not a coroutine, so that sending
// costs nothing while nobody sends and needs no timer to be woken.
//
// Thread: the server's executor. Owner: whoever the handler gave it to, and the connection's
// coroutine, which calls detach() before it ends, so a stream may outlive its server.
class SocketEventStream final : public EventStream,
                                public std::enable_shared_from_this<SocketEventStream> {
 public:
  static constexpr size_t kMaxBuffered = 256u << 10;
  explicit SocketEventStream(std::shared_ptr<HttpConnection> connection)
      : connection_(std::move(connection)) {}
  bool send(std::string_view event, std::string_view data) override;
  bool open() const override { return connection_ != nullptr; }
  void detach() { connection_.reset(); }

 private:
  void write_waiting();

  std::shared_ptr<HttpConnection> connection_;  // null: closed
  std::string waiting_;
  std::string writing_;  // not empty: a write is under way
};

}  // namespace base::net
