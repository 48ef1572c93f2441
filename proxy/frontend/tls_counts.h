// TlsCounts: what became of TLS connections, for all workers of the process together. Touched once per
// connection, so shared atomic counters are cheap enough.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace proxy {

// Why a handshake did not succeed, or an established connection broke.
enum class TlsFailure : uint8_t {
  kPlainText,          // not TLS at all: most likely a client set up for the plain port
  kVersion,            // no protocol version in common
  kCipher,             // no cipher suite, group or signature in common
  kClientCertificate,  // missing, or not signed by client_ca
  kPeerRefused,        // the client sent an alert: it does not trust our certificate, most likely
  kClosed,             // the client went away
  kTimeout,            // not finished in time
  kProtocol,           // anything else in the handshake
  kBroken,             // a bad record after the handshake
};
inline constexpr size_t kTlsFailureCount = 9;
std::string_view to_string(TlsFailure failure);

// Thread: any.
struct TlsCounts {
  std::atomic<uint64_t> connections{0};  // open now
  std::atomic<uint64_t> handshakes{0};   // completed, resumed or not
  std::atomic<uint64_t> resumed{0};
  std::array<std::atomic<uint64_t>, kTlsFailureCount> failures{};

  void fail(TlsFailure failure) {
    failures[static_cast<size_t>(failure)].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace proxy
