#include "proxy/frontend/tls_channel.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <sys/epoll.h>

#include <cerrno>
#include <memory>

#include "base/telemetry/log.h"

namespace proxy {
namespace {

TlsFailure failure_of(int reason) {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
      return TlsFailure::kPlainText;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return TlsFailure::kVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_GROUPS:
      return TlsFailure::kCipher;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return TlsFailure::kClientCertificate;
    default:
      // Alerts of the peer have the reason 1000 + the alert's number.
      return reason >= SSL_AD_REASON_OFFSET ? TlsFailure::kPeerRefused : TlsFailure::kProtocol;
  }
}

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};

// What the open connections of this thread read and write through, pointed at a socket for the length
// of a call. A BIO and the lock in it would cost each of them 200 bytes. Null for want of memory.
BIO* shared_socket_bio() {
  thread_local const std::unique_ptr<BIO, BioFree> shared(BIO_new(BIO_s_socket()));
  return shared.get();
}

}  // namespace

std::string_view to_string(TlsFailure failure) {
  constexpr std::array<std::string_view, kTlsFailureCount> kNames = {
      "plain_text", "version",  "cipher", "client_certificate", "peer_refused", "closed",
      "timeout",    "protocol", "broken"};
  return kNames[static_cast<size_t>(failure)];
}

TlsChannel::TlsChannel(TlsContextPtr context, SslPtr ssl, int fd)
    : context_(std::move(context)), ssl_(std::move(ssl)), fd_(fd) {
  context_->counts().connections.fetch_add(1, std::memory_order_relaxed);
}

TlsChannel::~TlsChannel() {
  context_->counts().connections.fetch_sub(1, std::memory_order_relaxed);
}

uint32_t TlsChannel::resumed_by(uint32_t events) const {
  if (read_wants_write_ && (events & EPOLLOUT) != 0) events |= EPOLLIN;
  if (write_wants_read_ && (events & EPOLLIN) != 0) events |= EPOLLOUT;
  return events;
}

uint32_t TlsChannel::wanted_events() const {
  return (read_wants_write_ ? EPOLLOUT : 0u) | (write_wants_read_ ? EPOLLIN : 0u);
}

ssize_t TlsChannel::fail(TlsFailure failure) {
  context_->counts().fail(failure);
  state_ = State::kFailed;
  errno = ECONNRESET;
  return -1;
}

// What a failed call means, but for "try again", which the caller has dealt with.
ssize_t TlsChannel::on_error(int result) {
  has_buffered_ = false;
  const bool shaking = state_ == State::kHandshake;
  switch (result) {
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      if (shaking) return fail(TlsFailure::kClosed);
      return 0;
    case SSL_ERROR_SSL: {
      const int reason = ERR_GET_REASON(ERR_peek_error());
      const TlsFailure failure = shaking ? failure_of(reason) : TlsFailure::kBroken;
      const char* const words = ERR_reason_error_string(ERR_peek_error());
      base::log::warn("tls_failed", {{"reason", to_string(failure)},
                                     {"error", words == nullptr ? "alert" : words}});
      ERR_clear_error();
      return fail(failure);
    }
    default:
      return fail(shaking ? TlsFailure::kClosed : TlsFailure::kBroken);
  }
}

// Gives back the BIO that the handshake needed: it puts a buffer before it, which cannot be shared.
void TlsChannel::share_socket_bio() {
  BIO* const shared = shared_socket_bio();
  if (shared == nullptr || BIO_up_ref(shared) != 1) return;  // it keeps its own
  SSL_set_bio(ssl_.get(), shared, shared);
}

void TlsChannel::point_at_socket() {
  BIO* const bio = SSL_get_rbio(ssl_.get());
  BIO_clear_flags(bio, BIO_FLAGS_IN_EOF);  // of the connection before this one
  BIO_set_fd(bio, fd_, BIO_NOCLOSE);
}

// True when done; otherwise errno says what receive() is to say.
bool TlsChannel::shake_hands() {
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    state_ = State::kOpen;
    share_socket_bio();
    context_->counts().handshakes.fetch_add(1, std::memory_order_relaxed);
    if (SSL_session_reused(ssl_.get()) == 1) {
      context_->counts().resumed.fetch_add(1, std::memory_order_relaxed);
    }
    return true;
  }
  const int error = SSL_get_error(ssl_.get(), done);
  read_wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    errno = EAGAIN;
  } else {
    on_error(error);
  }
  return false;
}

ssize_t TlsChannel::receive(char* into, size_t room) {
  if (ended_) return 0;
  if (state_ == State::kFailed) return errno = ECONNRESET, -1;
  ERR_clear_error();
  read_wants_write_ = false;
  if (state_ == State::kHandshake && !shake_hands()) return -1;
  point_at_socket();
  size_t total = 0;
  do {
    size_t got = 0;
    const int done = SSL_read_ex(ssl_.get(), into + total, room - total, &got);
    total += got;
    if (done == 1) continue;
    const int error = SSL_get_error(ssl_.get(), done);
    read_wants_write_ = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      has_buffered_ = false;
      if (total > 0) return static_cast<ssize_t>(total);
      return errno = EAGAIN, -1;
    }
    const ssize_t said = on_error(error);
    if (total == 0) return said;
    has_buffered_ = true;  // the end, or the failure, is still to be told
    return static_cast<ssize_t>(total);
  } while (total < room && SSL_has_pending(ssl_.get()) == 1);
  has_buffered_ = SSL_has_pending(ssl_.get()) == 1;
  return static_cast<ssize_t>(total);
}

ssize_t TlsChannel::send(const char* bytes, size_t size) {
  if (state_ != State::kOpen) return errno = state_ == State::kFailed ? ECONNRESET : EAGAIN, -1;
  ERR_clear_error();
  point_at_socket();
  size_t wrote = 0;
  const int done = SSL_write_ex(ssl_.get(), bytes, size, &wrote);
  write_wants_read_ = false;
  if (done == 1) return static_cast<ssize_t>(wrote);
  const int error = SSL_get_error(ssl_.get(), done);
  write_wants_read_ = error == SSL_ERROR_WANT_READ;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return errno = EAGAIN, -1;
  on_error(error);
  return errno = ECONNRESET, -1;
}

void TlsChannel::shut_down(bool late) {
  if (state_ == State::kHandshake)
    context_->counts().fail(late ? TlsFailure::kTimeout : TlsFailure::kClosed);
  if (state_ != State::kOpen) return;
  ERR_clear_error();
  point_at_socket();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

}  // namespace proxy
