#include "proxy/frontend/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstring>

#include "base/core/check.h"

namespace proxy {

TlsTickets::TlsTickets(base::Clock& clock) : clock_(clock), next_(clock.now()) {}

TlsTickets::~TlsTickets() {
  OPENSSL_cleanse(&current_, sizeof current_);
  OPENSSL_cleanse(&previous_, sizeof previous_);
}

void TlsTickets::rotate(base::Instant now) {
  if (current_.valid && now < next_) return;
  // After a long silence the one before is too old to be of use.
  const bool is_fresh = current_.valid && now < next_ + kRotation;
  previous_ = is_fresh ? current_ : Key{};
  CHECK(RAND_bytes(current_.name.data(), int(current_.name.size())) == 1);
  CHECK(RAND_priv_bytes(current_.cipher.data(), int(current_.cipher.size())) == 1);
  CHECK(RAND_priv_bytes(current_.mac.data(), int(current_.mac.size())) == 1);
  current_.valid = true;
  // At fixed times, however late somebody comes: else the one before would be good for longer.
  next_ = (is_fresh ? next_ : now) + kRotation;
}

int TlsTickets::set_up(unsigned char name[16], unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, bool sealing) {
  const std::lock_guard lock(mutex_);
  rotate(clock_.now());
  const auto is_named = [&](const Key& key) {
    return key.valid && std::memcmp(name, key.name.data(), key.name.size()) == 0;
  };
  Key* key = &current_;
  if (sealing) {
    std::memcpy(name, key->name.data(), key->name.size());
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  } else if (!is_named(current_)) {
    if (!is_named(previous_)) return 0;
    key = &previous_;
  }
  OSSL_PARAM params[3];
  params[0] =
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac.data(), key->mac.size());
  char digest[] = "SHA256";
  params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
  params[2] = OSSL_PARAM_construct_end();
  if (EVP_MAC_CTX_set_params(mac, params) != 1) return -1;
  const int begun =
      sealing ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv)
              : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv);
  if (begun != 1) return -1;
  return key == &previous_ ? 2 : 1;
}

}  // namespace proxy
