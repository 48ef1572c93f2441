#include "agent/coord/secret_box.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/core/check.h"
#include "base/core/file.h"
#include "base/core/rng.h"
#include "base/core/text.h"

namespace agent::coord {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kDerivedBytes = 16;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

base::Error damaged(std::string_view name) {
  return base::Error(base::ErrorCode::kInvalid,
                     "the sealed password of " + std::string(name) +
                         " does not open: it is damaged, or secret.key is another one than it was "
                         "sealed with; put the right secret.key back, or delete the credential");
}

}  // namespace

base::Result<SecretBox> SecretBox::open(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) {
    if (errno != ENOENT) {
      return base::Error(base::ErrorCode::kPermission,
                         path + ": " + std::strerror(errno) + "; it holds the agent's key");
    }
    std::string key = base::random_bytes(kKeyBytes);
    auto written =
        base::write_file_atomic(path, base::hex_encode(key) + "\n", base::Durability::kFsync, 0600);
    if (!written.ok()) return written.error();
    return SecretBox(std::move(key));
  }
  if ((file.st_mode & 077) != 0) {
    return base::Error(base::ErrorCode::kInvalid,
                       path + ": others may read it; expected mode 0600 (chmod 600 " + path + ")");
  }
  auto text = base::read_file(path, 4096);
  if (!text.ok()) return text.error();
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  auto key = base::hex_decode(*text);
  if (!key || key->size() != kKeyBytes) {
    return base::Error(base::ErrorCode::kInvalid,
                       path +
                           ": expected 64 hexadecimal digits; restore it from a copy, since the "
                           "passwords in the store cannot be read without it");
  }
  return SecretBox(std::move(*key));
}

std::string SecretBox::seal(const base::Secret& secret, std::string_view name) const {
  const std::string nonce = base::random_bytes(kNonceBytes);
  std::string text(secret.reveal().size(), '\0');
  std::string tag(kTagBytes, '\0');
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  CHECK(cipher != nullptr);
  int length = 0;
  EVP_CIPHER_CTX* c = cipher.get();
  CHECK(EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), nullptr, raw(key_), raw(nonce)) == 1);
  CHECK(EVP_EncryptUpdate(c, nullptr, &length, raw(name), static_cast<int>(name.size())) == 1);
  CHECK(EVP_EncryptUpdate(c, raw(text), &length, raw(secret.reveal()),
                          static_cast<int>(text.size())) == 1);
  unsigned char unused[16];
  CHECK(EVP_EncryptFinal_ex(c, unused, &length) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, kTagBytes, raw(tag)) == 1);
  return base::base64_encode(nonce + text + tag);
}

base::Result<base::Secret> SecretBox::unseal(std::string_view sealed, std::string_view name) const {
  const auto bytes = base::base64_decode(sealed);
  if (!bytes || bytes->size() < kNonceBytes + kTagBytes) return damaged(name);
  const std::string_view all(*bytes);
  const std::string_view body = all.substr(kNonceBytes, all.size() - kNonceBytes - kTagBytes);
  std::string tag(all.substr(all.size() - kTagBytes));
  std::string text(body.size(), '\0');
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  CHECK(cipher != nullptr);
  int length = 0;
  EVP_CIPHER_CTX* c = cipher.get();
  CHECK(EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), nullptr, raw(key_), raw(all)) == 1);
  CHECK(EVP_DecryptUpdate(c, nullptr, &length, raw(name), static_cast<int>(name.size())) == 1);
  CHECK(EVP_DecryptUpdate(c, raw(text), &length, raw(body), static_cast<int>(body.size())) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, kTagBytes, raw(tag)) == 1);
  unsigned char unused[16];
  if (EVP_DecryptFinal_ex(c, unused, &length) != 1) return damaged(name);
  return base::Secret(std::move(text));
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(), digest,
             &length) != nullptr);
  return std::string(reinterpret_cast<const char*>(digest), length);
}

std::string SecretBox::derive(std::string_view name) const {
  return hmac_sha256(key_, name).substr(0, kDerivedBytes);
}

}  // namespace agent::coord
