#include "base/net/http_connection.h"

#include <boost/asio/write.hpp>

#include "base/net/http_text.h"

namespace base::net {
namespace asio = boost::asio;

HttpConnection::HttpConnection(asio::ip::tcp::socket s) : socket(std::move(s)) {
  boost::system::error_code failure;
  const auto endpoint = socket.remote_endpoint(failure);
  if (failure) return;
  const bool v6 = endpoint.address().is_v6();
  const std::string host = endpoint.address().to_string();
  peer = (v6 ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

void HttpConnection::close() {
  boost::system::error_code ignored;
  socket.close(ignored);
}

bool SocketEventStream::send(std::string_view event, std::string_view data) {
  if (!connection_) return false;
  const std::string text = format_event(event, data);
  if (writing_.size() + waiting_.size() + text.size() > kMaxBuffered) {
    connection_->close();  // its coroutine, which reads, ends by this
    detach();
    return false;
  }
  waiting_ += text;
  if (writing_.empty()) write_waiting();
  return true;
}

void SocketEventStream::write_waiting() {
  writing_.swap(waiting_);
  const auto connection = connection_;
  asio::async_write(
      connection->socket, asio::buffer(writing_),
      [self = shared_from_this(), connection](boost::system::error_code failure, size_t) {
        self->writing_.clear();
        if (failure) {
          connection->close();
          self->detach();
        }
        if (self->connection_ && !self->waiting_.empty()) self->write_waiting();
      });
}

}  // namespace base::net
