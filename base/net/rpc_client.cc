#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "base/net/rpc.h"
#include "base/net/rpc_line.h"
#include "base/net/unix_socket.h"
#include "base/net/wait.h"

namespace base::net {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::redirect_error;
using asio::use_awaitable;
using Socket = asio::local::stream_protocol::socket;

// A server acts on whole lines only, so a call counts as sent when its newline was written.
Error not_sent(const std::string& path, const std::string& verb) {
  return Error(ErrorCode::kUnavailable, verb + " could not be sent to " + path, Origin::kSelf,
               Retry::kSafe);
}

Error timed_out(const std::string& path, const std::string& verb, Duration timeout) {
  return Error(ErrorCode::kTimeout,
               path + " did not answer " + verb + " within " +
                   std::to_string(timeout / std::chrono::milliseconds(1)) +
                   " ms; whether it happened is unknown",
               Origin::kSelf, Retry::kIfUnsent);
}

Error no_answer(const std::string& path, const std::string& verb) {
  return Error(ErrorCode::kUnknown,
               path + " closed the connection before it answered " + verb +
                   "; whether it happened is unknown",
               Origin::kSelf, Retry::kIfUnsent);
}

// One call under way.
struct Exchange {
  Exchange(Socket s, std::string l) : socket(std::move(s)), line(std::move(l)) {}
  Socket socket;
  std::string line;
  std::string answer;
  bool sent = false;
  bool late = false;
};

// True when `answer` holds a line.
asio::awaitable<bool> run(Exchange& call) {
  boost::system::error_code failure;
  const size_t written = co_await asio::async_write(call.socket, asio::buffer(call.line),
                                                    redirect_error(use_awaitable, failure));
  call.sent = written == call.line.size();
  if (failure) co_return false;
  const size_t length =
      co_await asio::async_read_until(call.socket, asio::dynamic_buffer(call.answer, kMaxLine),
                                      '\n', redirect_error(use_awaitable, failure));
  if (failure) co_return false;
  call.answer.resize(length - 1);
  co_return true;
}

enum class Step { kDone, kTimedOut, kClosed };

Step send_all(int fd, std::string_view bytes, Instant end) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      if (!wait_ready(fd, POLLOUT, end)) return Step::kTimedOut;
    } else if (errno != EINTR) {
      return Step::kClosed;
    }
  }
  return Step::kDone;
}

Step receive_line(int fd, std::string& line, Instant end) {
  char chunk[16384];
  while (line.size() < kMaxLine) {
    const ssize_t count = ::recv(fd, chunk, sizeof chunk, 0);
    if (count > 0) {
      const size_t from = line.size();
      line.append(chunk, static_cast<size_t>(count));
      const size_t newline = line.find('\n', from);
      if (newline == std::string::npos) continue;
      line.resize(newline);
      return Step::kDone;
    }
    if (count == 0) return Step::kClosed;
    if (errno == EAGAIN) {
      if (!wait_ready(fd, POLLIN, end)) return Step::kTimedOut;
    } else if (errno != EINTR) {
      return Step::kClosed;
    }
  }
  return Step::kClosed;
}

}  // namespace

asio::awaitable<Result<json::value>> rpc_call(std::string path, RpcRequest request,
                                              Duration timeout, Timers& timers) {
  auto fd = connect_unix(path);
  if (!fd) co_return fd.error();
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  Exchange call(Socket(executor, asio::local::stream_protocol(), fd->release()),
                encode_rpc_request(request) + "\n");
  const auto end = [&call] {
    call.late = true;
    boost::system::error_code ignored;
    call.socket.close(ignored);
  };
  const auto alarm = timers.alarm(timers.clock().now() + timeout, end);
  const bool answered = co_await run(call);
  if (!call.sent) co_return not_sent(path, request.verb);
  if (!answered) {
    co_return call.late ? timed_out(path, request.verb, timeout) : no_answer(path, request.verb);
  }
  co_return parse_rpc_answer(call.answer);
}

Result<json::value> rpc_call_blocking(const std::string& path, const RpcRequest& request,
                                      Duration timeout) {
  const Instant end = SystemClock().now() + timeout;
  auto fd = connect_unix(path);
  if (!fd) return fd.error();
  if (send_all(fd->get(), encode_rpc_request(request) + "\n", end) != Step::kDone) {
    return not_sent(path, request.verb);
  }
  std::string line;
  switch (receive_line(fd->get(), line, end)) {
    case Step::kTimedOut:
      return timed_out(path, request.verb, timeout);
    case Step::kClosed:
      return no_answer(path, request.verb);
    case Step::kDone:
      break;
  }
  return parse_rpc_answer(line);
}

}  // namespace base::net
