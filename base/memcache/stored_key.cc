#include "base/memcache/stored_key.h"

#include <openssl/sha.h>

#include <cstring>

#include "base/core/check.h"

namespace base::memcache {
namespace {

// Not RFC 4648's order: digits sort as the numbers do, which keeps dumps of a backend readable.
constexpr char kNumberAlphabet[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
constexpr char kUrlAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

template <size_t width>
char* put_number(char* out, uint32_t number) {
  for (size_t i = width; i > 0; --i, number >>= 6) out[i - 1] = kNumberAlphabet[number & 63];
  return out + width;
}

// Whether every byte is above 0x20 and not 0x7f: eight at a time, since every request pays for it.
bool is_plain(std::string_view key) {
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  constexpr uint64_t kHigh = 0x8080808080808080ULL;
  const char* at = key.data();
  size_t left = key.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, 8);
    const uint64_t low =
        word & ~kHigh;  // without the top bits no addition carries into its neighbour
    const uint64_t above_blank = low + kOnes * (0x80 - 0x21);  // top bit set: low bits >= 0x21
    const uint64_t delete_or_more = low + kOnes;               // top bit set: low bits == 0x7f
    // A byte with its own top bit set is fine whatever its low bits are.
    if ((((above_blank & ~delete_or_more) | word) & kHigh) != kHigh) return false;
  }
  for (; left > 0; ++at, --left) {
    const uint8_t byte = static_cast<uint8_t>(*at);
    if (byte <= 0x20 || byte == 0x7f) return false;
  }
  return true;
}

// The first 16 bytes of SHA-256 as 22 characters.
void put_digest(char* out, std::string_view key) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest);
  uint32_t bits = 0;
  int count = 0;
  for (int i = 0; i < 16; ++i) {
    bits = bits << 8 | digest[i];
    for (count += 8; count >= 6; count -= 6) *out++ = kUrlAlphabet[bits >> (count - 6) & 63];
  }
  *out = kUrlAlphabet[bits << (6 - count) & 63];
}

}  // namespace

StoredKey::StoredKey(CacheId cache, Generation generation, Epoch since,
                     std::string_view client_key) {
  CHECK(cache <= kMaxCacheId && generation <= kMaxGeneration && since <= kMaxEpoch);
  char* at = head_.data() + 1;
  at = put_number<4>(at, cache);
  at = put_number<5>(at, generation);
  at = put_number<4>(at, since);
  if (kStoredPrefixLength + client_key.size() <= kMaxKeyLength && is_plain(client_key)) {
    head_[0] = 'k';
    head_size_ = kStoredPrefixLength;
    tail_ = client_key;
  } else {
    head_[0] = 'd';
    put_digest(at, client_key);
    head_size_ = kStoredPrefixLength + kDigestLength;
  }
}

std::string_view StoredKey::write(std::array<char, kMaxKeyLength>& out) const {
  std::memcpy(out.data(), head_.data(), head_size_);
  if (!tail_.empty()) std::memcpy(out.data() + head_size_, tail_.data(), tail_.size());
  return {out.data(), size()};
}

}  // namespace base::memcache
