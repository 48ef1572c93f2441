#include "agent/runbook/digest.h"

#include <openssl/evp.h>

#include "base/core/check.h"
#include "base/core/text.h"

namespace agent::runbook {

std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) == 1);
  return base::hex_encode(std::string_view(reinterpret_cast<const char*>(digest), length));
}

}  // namespace agent::runbook
