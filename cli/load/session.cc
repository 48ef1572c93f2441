#include "cli/load/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/core/text.h"
#include "base/net/socket_address.h"

namespace cli {
namespace {

constexpr size_t kReadSize = 256 * 1024;
constexpr std::string_view kUnix = "unix:";

base::Error wrong(const std::string& text) {
  return base::Error(base::ErrorCode::kInvalid,
                     "'" + base::printable(text, 80) +
                         "': expected ADDRESS:PORT with a numeric address, or unix:/PATH",
                     base::Origin::kClient);
}

base::Result<ServerAddress> parse_unix(const std::string& text) {
  const std::string path = text.substr(kUnix.size());
  ServerAddress server;
  auto* const address = reinterpret_cast<sockaddr_un*>(&server.storage);
  if (path.empty() || path.size() >= sizeof address->sun_path) return wrong(text);
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.c_str(), path.size() + 1);
  server.size = sizeof *address;
  server.text = text;
  return server;
}

}  // namespace

base::Result<ServerAddress> parse_server(const std::string& text) {
  if (text.starts_with(kUnix)) return parse_unix(text);
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong(text);
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host == "localhost") host = "127.0.0.1";
  const auto port = base::parse_u64(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return wrong(text);
  const auto address = base::net::make_socket_address(host, static_cast<uint16_t>(*port));
  if (!address) return wrong(text);
  ServerAddress server;
  server.text = text;
  std::memcpy(&server.storage, address->get(), address->size());
  server.size = address->size();
  return server;
}

bool Session::connect(base::Instant now) {
  close();
  since_ = now;
  fd_.reset(::socket(server_.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) return false;
  if (server_.storage.ss_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const auto* const address = reinterpret_cast<const sockaddr*>(&server_.storage);
  if (::connect(fd_.get(), address, server_.size) != 0 && errno != EINPROGRESS) {
    fd_.reset();
    return false;
  }
  state_ = State::kConnecting;
  return true;
}

void Session::close() {
  fd_.reset();
  state_ = State::kClosed;
  out_.clear();
  sent_ = 0;
  due_.clear();
  counter_.reset();
}

bool Session::on_connected(base::Instant now) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return false;
  since_ = now;
  if (login_.empty()) {
    state_ = State::kReady;
    return true;
  }
  state_ = State::kLoggingIn;
  out_.append(login_);
  return flush();
}

bool Session::flush() {
  if (state_ == State::kConnecting) return true;
  while (sent_ < out_.size()) {
    const ssize_t wrote = ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno == EAGAIN;
    sent_ += static_cast<size_t>(wrote);
  }
  out_.clear();
  sent_ = 0;
  return true;
}

Session::Heard Session::receive(base::Instant now, Latencies& latencies) {
  static thread_local char buffer[kReadSize];
  Heard heard;
  const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return heard;
  if (got <= 0) {
    heard.lost = true;
    return heard;
  }
  auto counts = counter_.take(std::string_view(buffer, static_cast<size_t>(got)));
  if (state_ == State::kLoggingIn && counts.replies > 0) {
    heard.lost = counts.errors > 0;
    heard.errors = counts.errors;
    state_ = State::kReady;
    --counts.replies;
  }
  heard.values = counts.values;
  heard.errors += heard.lost ? 0 : counts.errors;
  for (; counts.replies > 0 && !due_.empty(); --counts.replies) {
    latencies.record(now - due_.front());
    due_.pop_front();
  }
  since_ = now;
  return heard;
}

}  // namespace cli
