// TlsChannel: TLS between a Client and its socket, spoken like recv() and send().
//
// The socket stays the client's. The handshake happens inside receive(), which says EAGAIN until it is
// done. Three things differ from a socket, and the client asks for them:
//   resumed_by()   TLS may have to write before it can read, and the other way round;
//   has_buffered() OpenSSL may hold bytes that epoll knows nothing of, so a client that stopped
//                  reading before this was false must come back by itself;
//   shut_down()    says goodbye (close_notify) before the socket closes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "proxy/frontend/tls_context.h"

namespace proxy {

// Thread: the worker's. Owner: the client.
class TlsChannel {
 public:
  // `ssl` was made by `context` over `fd`. The context is kept: a handshake may still ask it for
  // certificates.
  TlsChannel(TlsContextPtr context, SslPtr ssl, int fd);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  // As recv() and send() without blocking: -1 with errno EAGAIN or ECONNRESET; 0: the peer has ended.
  ssize_t receive(char* into, size_t room);
  ssize_t send(const char* bytes, size_t size);

  // The readiness for reading that these events of epoll amount to.
  uint32_t resumed_by(uint32_t events) const;
  // What to wait for beside what the client wants.
  uint32_t wanted_events() const;
  // True when receive() would bring something without the socket becoming readable.
  bool has_buffered() const { return has_buffered_; }
  bool is_shaking_hands() const { return state_ == State::kHandshake; }
  // The client is about to close; `late`: because its time to say who it is was over.
  void shut_down(bool late);
  bool is_coming_back = false;  // the worker has been asked to read again

 private:
  enum class State : uint8_t { kHandshake, kOpen, kFailed };
  bool shake_hands();
  void share_socket_bio();
  void point_at_socket();
  ssize_t on_error(int result);
  ssize_t fail(TlsFailure failure);

  const TlsContextPtr context_;
  const SslPtr ssl_;
  const int fd_;
  State state_ = State::kHandshake;
  bool has_buffered_ = false;
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
  bool ended_ = false;
};

}  // namespace proxy
