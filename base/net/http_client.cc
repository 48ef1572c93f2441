#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>

#include "base/net/chunked.h"
#include "base/net/fd.h"
#include "base/net/http.h"
#include "base/net/http_text.h"
#include "base/net/wait.h"

namespace base::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

constexpr uint64_t kMaxResponse = 64u << 20;

Error unreachable(const HttpUrl& url, std::string_view why) {
  return Error(ErrorCode::kUnavailable,
               "nobody answers at http://" + url.authority() + ": " + std::string(why),
               Origin::kSelf, Retry::kIfUnsent);
}

Error too_late(const HttpUrl& url) {
  return Error(ErrorCode::kTimeout, "http://" + url.authority() + " did not answer in time",
               Origin::kSelf, Retry::kIfUnsent);
}

Result<UniqueFd> connect_one(const HttpUrl& url, const addrinfo& address, Instant end) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return unreachable(url, strerror(errno));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return unreachable(url, strerror(errno));
  if (!wait_ready(fd.get(), POLLOUT, end)) return too_late(url);
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return unreachable(url, strerror(failure));
  return fd;
}

Result<UniqueFd> connect_to(const HttpUrl& url, Instant end) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure =
      ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (failure != 0) return unreachable(url, ::gai_strerror(failure));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  Result<UniqueFd> last(unreachable(url, "it has no address"));
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    last = connect_one(url, *address, end);
    if (last) return last;
  }
  return last;
}

Result<> send_all(int fd, const HttpUrl& url, std::string_view bytes, Instant end) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      if (!wait_ready(fd, POLLOUT, end)) return too_late(url);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return {};  // the server may have answered before it closed
    } else if (errno != EINTR) {
      return unreachable(url, strerror(errno));
    }
  }
  return {};
}

std::string format_request(const HttpCall& call, const HttpUrl& url) {
  std::string out = call.method + " " + url.target + " HTTP/1.1\r\nHost: " + url.authority() +
                    "\r\nConnection: close\r\n";
  for (const auto& [name, value] : call.headers) out += name + ": " + value + "\r\n";
  if (!call.body.empty() || call.method == "POST" || call.method == "PATCH") {
    out += "Content-Length: " + std::to_string(call.body.size()) + "\r\n";
  }
  return out + "\r\n" + call.body;
}

// Reads once. The parser keeps its own state; `pending` holds bytes of an unfinished header.
// False: the server has closed.
Result<bool> receive_some(int fd, const HttpUrl& url, Parser& parser, std::string& pending,
                          Instant end) {
  char chunk[16384];
  ssize_t count = -1;
  while ((count = ::recv(fd, chunk, sizeof chunk, 0)) < 0) {
    if (errno == EAGAIN) {
      if (!wait_ready(fd, POLLIN, end)) return too_late(url);
    } else if (errno != EINTR) {
      return unreachable(url, strerror(errno));
    }
  }
  boost::system::error_code failure;
  if (count == 0) {
    if (!parser.got_some()) return unreachable(url, "it closed the connection without an answer");
    parser.put_eof(failure);
    if (failure) return unreachable(url, "it closed the connection in mid-answer");
    return false;
  }
  const bool refused = !pending.empty();
  pending.append(chunk, static_cast<size_t>(count));
  if (refused && !can_show_again(parser, pending.size())) return true;
  while (!pending.empty() && !parser.is_done()) {
    const size_t taken = parser.put(boost::asio::buffer(pending), failure);
    pending.erase(0, taken);
    if (failure == http::error::need_more) break;
    if (failure) return unreachable(url, "its answer is not HTTP (" + failure.message() + ")");
    if (taken == 0) break;
  }
  return true;
}

HttpResponse to_response(Parser& parser) {
  auto& message = parser.get();
  HttpResponse response;
  response.status = static_cast<int>(message.result_int());
  response.content_type.clear();
  for (const auto& field : message) {
    std::string name(field.name_string().data(), field.name_string().size());
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    std::string value(field.value().data(), field.value().size());
    if (name == "content-type") response.content_type = value;
    response.headers.emplace_back(std::move(name), std::move(value));
  }
  response.body = std::move(message.body());
  return response;
}

// Passes whole lines on; false once `line` has had enough.
bool pass_lines(std::string& text, const std::function<bool(std::string_view)>& line) {
  size_t from = 0;
  for (size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
    std::string_view one(text.data() + from, end - from);
    if (one.ends_with('\r')) one.remove_suffix(1);
    if (!line(one)) return false;
  }
  text.erase(0, from);
  return true;
}

Result<UniqueFd> send_request(const HttpCall& call, const HttpUrl& url, Instant end) {
  auto fd = connect_to(url, end);
  if (!fd) return fd;
  auto sent = send_all(fd->get(), url, format_request(call, url), end);
  if (!sent) return sent.error();
  return fd;
}

}  // namespace

Result<HttpResponse> http_call_blocking(const HttpCall& call) {
  const auto url = parse_http_url(call.url);
  if (!url) return url.error();
  const Instant end = SystemClock().now() + call.timeout;
  const auto fd = send_request(call, *url, end);
  if (!fd) return fd.error();
  Parser parser;
  parser.eager(true);
  parser.body_limit(kMaxResponse);
  parser.skip(call.method == "HEAD");
  std::string pending;
  while (!parser.is_done()) {
    const auto more = receive_some(fd->get(), *url, parser, pending, end);
    if (!more) return more.error();
  }
  return to_response(parser);
}

Result<> http_stream_blocking(const HttpCall& call, Duration idle,
                              const std::function<bool(std::string_view line)>& line) {
  const auto url = parse_http_url(call.url);
  if (!url) return url.error();
  const Instant end = SystemClock().now() + call.timeout;
  const auto fd = send_request(call, *url, end);
  if (!fd) return fd.error();
  Parser parser;
  parser.eager(true);
  parser.body_limit(boost::none);
  std::string pending, text;
  Instant patience = end;
  while (!parser.is_done()) {
    const auto more = receive_some(fd->get(), *url, parser, pending, patience);
    if (!more) return more.error();
    if (!parser.is_header_done()) continue;
    if (parser.get().result_int() != 200) {
      return Error(ErrorCode::kUnavailable, "http://" + url->authority() + url->target +
                                                " answered " +
                                                std::to_string(parser.get().result_int()));
    }
    text += parser.get().body();
    parser.get().body().clear();
    if (text.size() > kMaxResponse) return unreachable(*url, "a line longer than 64 MiB");
    if (!pass_lines(text, line) || !*more) return {};
    patience = SystemClock().now() + idle;
  }
  return {};
}

}  // namespace base::net
