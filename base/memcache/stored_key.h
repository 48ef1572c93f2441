// StoredKey: the name under which memcached holds a client's key.
//
//   form(1) cache(4) generation(5) since(4) body
//
// all printable, fixed width, numbers in base 64 (0-9 A-Z a-z - _), most significant digit first.
// Generation and since make whatever was stored before a flush, or under an earlier owner of the
// slot, unreachable (docs/architecture.md "Stored key"). The form is `k` with the client's key as
// body, or `d` with a digest of it: 22 characters of unpadded base64url of the first 16 bytes of
// its SHA-256, for keys that hold bytes the text protocol cannot carry or that would make the whole
// longer than 250.
//
// A StoredKey is two pieces, a short head of its own and the client's key as a tail, so that a
// request is written to a backend without first joining them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/slots.h"
#include "base/memcache/request.h"

namespace base::memcache {

inline constexpr size_t kStoredPrefixLength = 14;
inline constexpr size_t kDigestLength = 22;
// What the fixed widths can carry; configuration is refused above these.
inline constexpr CacheId kMaxCacheId = (1u << 24) - 1;
inline constexpr Generation kMaxGeneration = (1u << 30) - 1;
inline constexpr Epoch kMaxEpoch = (1u << 24) - 1;

// The reserved key of the fence record; no stored key starts with '!'.
inline constexpr std::string_view kFenceKey = "!mcguard/fence";

// A key in two pieces, as backends are asked for it.
struct KeyPieces {
  std::string_view head;
  std::string_view tail;

  size_t size() const { return head.size() + tail.size(); }
};

// Thread: any, a value. Invariant: size() <= 250; the tail points to the client's key.
class StoredKey {
 public:
  // Precondition (CHECKed): the numbers fit their widths.
  StoredKey(CacheId cache, Generation generation, Epoch since, std::string_view client_key);

  KeyPieces pieces() const { return {{head_.data(), head_size_}, tail_}; }
  operator KeyPieces() const { return pieces(); }  // NOLINT: implicit by design
  size_t size() const { return head_size_ + tail_.size(); }
  bool is_digest() const { return head_[0] == 'd'; }

  // Writes the whole key to `out` and returns the view of it.
  std::string_view write(std::array<char, kMaxKeyLength>& out) const;

 private:
  std::array<char, kStoredPrefixLength + kDigestLength> head_;
  uint8_t head_size_;
  std::string_view tail_;
};

}  // namespace base::memcache
