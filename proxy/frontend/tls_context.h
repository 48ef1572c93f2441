// TlsContext: the certificates and rules of the TLS port, loaded from files as one immutable set.
//
// A reload loads a whole new one, or says which files are wrong and leaves everything as it is;
// connections go on under the set they began with. A certificate out of its time is loaded all the
// same: clients that do not look at it can go on, and the others hear what is wrong. The first certificate answers clients that name no
// server, or none that we know; the others are chosen by the name a client asks for (SNI).
//
// With client_ca a client must (or may) show a certificate signed by it. That is a gate and no login:
// whoever passes it still has to authenticate. A session is resumed only under the same gate.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "proxy/config/config.h"
#include "proxy/frontend/tls_counts.h"
#include "proxy/frontend/tls_tickets.h"

namespace proxy {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;
using SslContextPtr = std::unique_ptr<SSL_CTX, SslFree>;

// What survives reloads; shared by all workers.
struct TlsShared {
  explicit TlsShared(base::Clock& clock) : tickets(clock) {}
  TlsTickets tickets;
  TlsCounts counts;
};

// Thread: any, once loaded. Shared by the workers' worlds and by each connection made from it.
class TlsContext {
 public:
  // kInvalid with a line for each file that cannot be used. `shared` outlives every context.
  static base::Result<std::shared_ptr<const TlsContext>> load(const TlsListener& wanted,
                                                              TlsShared& shared);

  // The server's side of a new connection over `fd`; null for want of memory.
  SslPtr open(int fd) const;
  TlsCounts& counts() const { return shared_.counts; }

  struct Certificate {
    PemFile file;
    int64_t not_before = 0, not_after = 0;  // seconds since 1970
    bool is_valid_at(int64_t seconds) const {
      return not_before <= seconds && seconds <= not_after;
    }
  };
  const std::vector<Certificate>& certificates() const { return certificates_; }
  // kInvalid with a line for each certificate that is not valid at that time.
  base::Result<> check_validity(int64_t seconds) const;

 private:
  explicit TlsContext(TlsShared& shared) : shared_(shared) {}
  static int choose_certificate(SSL* ssl, int* alert, void* self);
  static int set_up_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac, int sealing);
  base::Result<> add(const TlsListener& wanted, const TlsCertificate& files);

  TlsShared& shared_;
  std::vector<SslContextPtr> contexts_;  // one per certificate
  std::vector<Certificate> certificates_;
};
using TlsContextPtr = std::shared_ptr<const TlsContext>;

}  // namespace proxy
