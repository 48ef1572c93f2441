#include "cli/load/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
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

struct ContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

SSL_CTX* tls_context() {
  static const std::unique_ptr<SSL_CTX, ContextFree> context = [] {
    std::unique_ptr<SSL_CTX, ContextFree> made(SSL_CTX_new(TLS_client_method()));
    CHECK(made != nullptr);
    SSL_CTX_set_mode(made.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(made.get(), 1);
    return made;
  }();
  return context.get();
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
  ssl_.reset();
  write_waits_for_read_ = false;
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
  if (server_.tls) {
    ssl_.reset(SSL_new(tls_context()));
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd_.get()) != 1) return false;
    SSL_set_connect_state(ssl_.get());
  }
  if (login_.empty()) {
    state_ = State::kReady;
    return true;
  }
  state_ = State::kLoggingIn;
  out_.append(login_);
  return flush();
}

ssize_t Session::on_tls_error(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  const bool again = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  errno = again ? EAGAIN : ECONNRESET;
  return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t Session::read_some(char* into, size_t room) {
  if (!ssl_) return ::recv(fd_.get(), into, room, 0);
  size_t got = 0;
  const int done = SSL_read_ex(ssl_.get(), into, room, &got);
  if (SSL_is_init_finished(ssl_.get()) == 1) write_waits_for_read_ = false;
  return done == 1 ? static_cast<ssize_t>(got) : on_tls_error(done);
}

ssize_t Session::write_some(const char* bytes, size_t size) {
  if (!ssl_) return ::send(fd_.get(), bytes, size, MSG_NOSIGNAL);
  size_t wrote = 0;
  const int done = SSL_write_ex(ssl_.get(), bytes, size, &wrote);
  if (done == 1) return static_cast<ssize_t>(wrote);
  write_waits_for_read_ = SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ;
  return on_tls_error(done);
}

bool Session::flush() {
  if (state_ == State::kConnecting) return true;
  while (sent_ < out_.size()) {
    const ssize_t wrote = write_some(out_.data() + sent_, out_.size() - sent_);
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
  Heard all;
  do {
    const ssize_t got = read_some(buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return all;
    if (got <= 0) {
      all.lost = true;
      return all;
    }
    const Heard heard = take(std::string_view(buffer, static_cast<size_t>(got)), now, latencies);
    all.lost = heard.lost;
    all.values += heard.values;
    all.errors += heard.errors;
    // What TLS holds no event will tell of.
  } while (!all.lost && ssl_ && SSL_has_pending(ssl_.get()) == 1);
  return all;
}

Session::Heard Session::take(std::string_view bytes, base::Instant now, Latencies& latencies) {
  Heard heard;
  auto counts = counter_.take(bytes);
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
