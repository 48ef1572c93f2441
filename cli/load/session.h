// Session: one connection of the load generator, never blocking.
//
// It connects, logs in when there is somebody to log in as, and then sends what it is given in one
// write and counts the replies. It knows when each request was meant to be sent, so that a request
// which had to wait for its turn counts as slow: latencies are safe from coordinated omission.
#pragma once

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/clock.h"
#include "cli/load/latencies.h"
#include "cli/load/reply_counter.h"

namespace cli {

// A server to connect to: "host:port" with a numeric host, "[::1]:port", or "unix:/path".
struct ServerAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;
  bool tls = false;  // its certificate is not verified: this measures, it does not trust
};
base::Result<ServerAddress> parse_server(const std::string& text);

// Thread: one. Owner: a generator.
class Session {
 public:
  enum class State { kClosed, kConnecting, kLoggingIn, kReady };

  // `login`: the bytes that log in, and nothing when nobody has to.
  Session(const ServerAddress& server, std::string_view login) : server_(server), login_(login) {}

  // False when not even an attempt could be made.
  bool connect(base::Instant now);
  void close();
  int fd() const { return fd_.get(); }
  State state() const { return state_; }
  bool wants_to_write() const {
    return state_ == State::kConnecting || (sent_ < out_.size() && !write_waits_for_read_);
  }
  size_t outstanding() const { return due_.size(); }
  base::Instant since() const { return since_; }  // of the oldest thing it waits for

  // Appends a request that was due at `due`; flush() sends.
  std::string& out() { return out_; }
  void queued(base::Instant due) { due_.push_back(due); }

  struct Heard {
    bool lost = false;  // the connection is gone
    uint64_t values = 0;
    uint64_t errors = 0;
  };
  // Each takes what the kernel has; replies are recorded into `latencies`.
  Heard receive(base::Instant now, Latencies& latencies);
  // False when the connection is lost.
  bool flush();
  // After a connect has ended; false when it failed.
  bool on_connected(base::Instant now);
  const std::string& last_error() const { return counter_.last_error(); }

 private:
  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  // As recv() and send(), by TLS or plain.
  ssize_t read_some(char* into, size_t room);
  ssize_t write_some(const char* bytes, size_t size);
  ssize_t on_tls_error(int result);
  Heard take(std::string_view bytes, base::Instant now, Latencies& latencies);

  const ServerAddress& server_;
  const std::string_view login_;
  base::net::UniqueFd fd_;
  std::unique_ptr<SSL, SslFree> ssl_;  // null: plain
  bool write_waits_for_read_ = false;  // the handshake goes on with what the server sends
  State state_ = State::kClosed;
  base::Instant since_;
  std::string out_;
  size_t sent_ = 0;
  std::deque<base::Instant> due_;  // of requests without a reply, oldest first
  ReplyCounter counter_;
};

}  // namespace cli
