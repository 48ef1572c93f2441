// SecretBox: passwords at rest, sealed with AES-256-GCM under a key file that only the agent can
// read.
//
// A sealed secret is base64(nonce(12) || ciphertext || tag(16)); the name it belongs to is bound in
// as associated data, so that sealed secrets cannot be swapped between credentials in the store.
#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/core/secret.h"

namespace agent::coord {

// 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

// Thread: any, immutable. Owner: app.
class SecretBox {
 public:
  // Reads the key (64 hex digits) from `path`, or makes one (mode 0600, durable) on first start.
  // kInvalid when the file has another form or others may read it.
  static base::Result<SecretBox> open(const std::string& path);

  std::string seal(const base::Secret& secret, std::string_view name) const;
  // kInvalid: damaged, or sealed under another key or name.
  base::Result<base::Secret> unseal(std::string_view sealed, std::string_view name) const;

  // 16 bytes that follow from the key and `name` alone (HMAC-SHA256), and tell neither.
  std::string derive(std::string_view name) const;

 private:
  explicit SecretBox(std::string key) : key_(std::move(key)) {}
  std::string key_;  // 32 bytes
};

}  // namespace agent::coord
