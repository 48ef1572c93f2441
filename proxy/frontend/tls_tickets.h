// TlsTickets: the keys that seal session tickets.
//
// Stateless resumption: the client keeps its session, sealed by us, so that it resumes on any worker
// and nothing is stored per client. The keys live as long as the process, across reloads of
// certificates. They are replaced every kRotation; the one before still opens tickets, which are then
// renewed: a ticket can be opened for kRotation at least, and for less than two. A session lives for
// kLifetime at most, whatever became of its ticket.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <mutex>

#include "base/time/clock.h"

namespace proxy {

// Thread: any. Owner: app.
class TlsTickets {
 public:
  static constexpr base::Duration kRotation = std::chrono::hours(2);
  static constexpr base::Duration kLifetime = kRotation;

  explicit TlsTickets(base::Clock& clock);
  ~TlsTickets();
  TlsTickets(const TlsTickets&) = delete;
  TlsTickets& operator=(const TlsTickets&) = delete;

  // As SSL_CTX_set_tlsext_ticket_key_evp_cb wants it: <0 error, 0 unknown key, 1 done, 2 opened, but
  // renew it.
  int set_up(unsigned char name[16], unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
             bool sealing);

 private:
  struct Key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};
    bool valid = false;
  };
  void rotate(base::Instant now);

  base::Clock& clock_;
  std::mutex mutex_;
  // Guarded by mutex_.
  Key current_, previous_;
  base::Instant next_;
};

}  // namespace proxy
