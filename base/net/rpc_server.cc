#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <set>

#include "base/net/rpc.h"
#include "base/net/rpc_line.h"
#include "base/net/unix_socket.h"

namespace base::net {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::redirect_error;
using asio::use_awaitable;
using Socket = asio::local::stream_protocol::socket;

// Connections beyond these are closed at once; whoever may connect is one of our own programs.
constexpr size_t kMaxConnections = 256;

struct Connection {
  explicit Connection(Socket s) : socket(std::move(s)) {}
  Socket socket;
  asio::cancellation_signal cancel;  // of the handler that runs for it
};

class UnixRpcServer final : public RpcServer {
 public:
  UnixRpcServer(asio::any_io_executor executor, std::string path, UniqueFd fd, Handler handler)
      : executor_(std::move(executor)),
        path_(std::move(path)),
        file_(socket_file(path_)),
        handler_(std::move(handler)),
        acceptor_(executor_, asio::local::stream_protocol(), fd.release()),
        pause_(executor_, clock_) {}

  ~UnixRpcServer() override { remove_socket_file(path_, file_); }

  void start() { spawn(executor_, gate_, "rpc accept", accept_all()); }

  asio::awaitable<void> stop(Timers& timers) override {
    gate_.close();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    remove_socket_file(path_, file_);
    file_ = {};  // its number may by now be that of a successor's file
    for (Connection* connection : connections_) {
      connection->cancel.emit(asio::cancellation_type::terminal);
      connection->socket.close(ignored);
    }
    co_await gate_.wait_empty(timers, timers.clock().now() + kStopPatience);
  }

 private:
  static constexpr Duration kStopPatience = 5s;
  static constexpr Duration kAcceptPause = 50ms;

  asio::awaitable<void> accept_all() {
    while (!gate_.closed()) {
      boost::system::error_code failure;
      Socket socket = co_await acceptor_.async_accept(redirect_error(use_awaitable, failure));
      if (gate_.closed()) co_return;
      if (failure) {
        // Out of descriptors, most likely: trying again at once would spin.
        co_await pause_.wait_for(kAcceptPause);
        continue;
      }
      if (connections_.size() >= kMaxConnections) continue;
      spawn(executor_, gate_, "rpc connection", serve(std::move(socket)));
    }
  }

  asio::awaitable<void> serve(Socket socket) {
    Connection connection(std::move(socket));
    connections_.insert(&connection);
    std::string buffer;
    boost::system::error_code failure;
    while (!failure && !gate_.closed()) {
      const size_t length =
          co_await asio::async_read_until(connection.socket, asio::dynamic_buffer(buffer, kMaxLine),
                                          '\n', redirect_error(use_awaitable, failure));
      std::string answer;
      if (failure == asio::error::not_found) {
        Result<json::value> too_long(Error(ErrorCode::kInvalid, "the line is longer than 64 MiB"));
        answer = encode_rpc_answer(too_long);
      } else if (failure) {
        break;
      } else {
        std::string line = buffer.substr(0, length - 1);
        buffer.erase(0, length);
        answer = co_await answer_line(connection, std::move(line));
      }
      answer += '\n';
      boost::system::error_code unsent;
      co_await asio::async_write(connection.socket, asio::buffer(answer),
                                 redirect_error(use_awaitable, unsent));
      if (unsent) break;
    }
    connections_.erase(&connection);
  }

  asio::awaitable<std::string> answer_line(Connection& connection, std::string line) {
    auto request = parse_rpc_request(line);
    line = std::string();  // up to 64 MiB that the handler need not keep alive
    if (!request) {
      Result<json::value> bad(request.error());
      co_return encode_rpc_answer(bad);
    }
    try {
      Result<json::value> result = co_await asio::co_spawn(
          executor_, handler_(std::move(*request)),
          asio::bind_cancellation_slot(connection.cancel.slot(), use_awaitable));
      co_return encode_rpc_answer(result);
    } catch (const std::exception& thrown) {
      const ErrorCode code = gate_.closed() ? ErrorCode::kUnknown : ErrorCode::kInternal;
      Result<json::value> failed(Error(code, thrown.what()));
      co_return encode_rpc_answer(failed);
    }
  }

  // Constant after construction.
  asio::any_io_executor executor_;
  std::string path_;
  SocketFile file_;
  Handler handler_;
  // Owned by the executor's thread.
  asio::local::stream_protocol::acceptor acceptor_;
  SystemClock clock_;
  AsioTimers pause_;
  std::set<Connection*> connections_;
  Gate gate_;
};

}  // namespace

Result<std::unique_ptr<RpcServer>> RpcServer::listen(asio::any_io_executor executor,
                                                     std::string path, Handler handler) {
  auto fd = listen_unix(path);
  if (!fd) return fd.error();
  auto server = std::make_unique<UnixRpcServer>(std::move(executor), std::move(path),
                                                std::move(*fd), std::move(handler));
  server->start();
  return std::unique_ptr<RpcServer>(std::move(server));
}

}  // namespace base::net
