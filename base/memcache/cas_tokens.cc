#include "base/memcache/cas_tokens.h"

#include <bit>
#include <limits>

#include "base/core/hash.h"
#include "base/core/text.h"
#include "base/memcache/big_endian.h"

namespace base::memcache {
namespace {

constexpr int kRounds = 27;

struct Halves {
  uint32_t x, y;
};

Halves halves_of(uint64_t block) {
  return {static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(block)};
}

uint64_t joined(const Halves& halves) {
  return uint64_t{halves.x} << 32 | halves.y;
}

void mix_in(Halves& block, uint32_t key) {
  block.x = (std::rotr(block.x, 8) + block.y) ^ key;
  block.y = std::rotl(block.y, 3) ^ block.x;
}

void take_out(Halves& block, uint32_t key) {
  block.y = std::rotr(block.y ^ block.x, 3);
  block.x = std::rotl((block.x ^ key) - block.y, 8);
}

// The key of each round: the same round function over the key's own words.
class RoundKeys {
 public:
  explicit RoundKeys(const CasSecret& key) {
    std::array<uint32_t, 3> words = {static_cast<uint32_t>(key[1] >> 32),
                                     static_cast<uint32_t>(key[0]),
                                     static_cast<uint32_t>(key[0] >> 32)};
    Halves state{0, static_cast<uint32_t>(key[1])};
    for (uint32_t i = 0; i < kRounds; ++i) {
      keys_[i] = state.y;
      state.x = words[i % 3];
      mix_in(state, i);
      words[i % 3] = state.x;
    }
  }
  uint64_t encrypt(uint64_t text) const {
    Halves block = halves_of(text);
    for (const uint32_t key : keys_) mix_in(block, key);
    return joined(block);
  }
  uint64_t decrypt(uint64_t text) const {
    Halves block = halves_of(text);
    for (auto key = keys_.rbegin(); key != keys_.rend(); ++key) take_out(block, *key);
    return joined(block);
  }

 private:
  std::array<uint32_t, kRounds> keys_;
};

bool is_in_domain(uint64_t value) {
  return value != 0 && value <= std::numeric_limits<int64_t>::max();
}

}  // namespace

std::optional<CasSecret> parse_cas_secret(std::string_view text) {
  const auto bytes = hex_decode(text);
  if (!bytes || bytes->size() != sizeof(CasSecret)) return std::nullopt;
  return CasSecret{load_u64(bytes->data()), load_u64(bytes->data() + sizeof(uint64_t))};
}

std::string to_text(const CasSecret& secret) {
  char bytes[sizeof(CasSecret)];
  store_u64(bytes, secret[0]);
  store_u64(bytes + sizeof(uint64_t), secret[1]);
  return hex_encode({bytes, sizeof bytes});
}

uint64_t owner_hash(std::string_view owner_id) {
  return hash64(owner_id, 0);
}

CasTokens::CasTokens(const CasSecret& secret, CacheId cache, Generation generation, Epoch since,
                     uint64_t owner_hash)
    : key_{mix64(secret[0] ^ mix64(cache, generation), mix64(since, owner_hash)),
           mix64(secret[1] ^ mix64(since, owner_hash), mix64(cache, generation))} {}

uint64_t CasTokens::show(uint64_t cas) const {
  if (!is_in_domain(cas)) return cas;
  const RoundKeys keys(key_);
  do cas = keys.encrypt(cas);
  while (!is_in_domain(cas));
  return cas;
}

uint64_t CasTokens::read(uint64_t token) const {
  if (token == 0) return std::numeric_limits<uint64_t>::max();
  if (!is_in_domain(token)) return token;
  const RoundKeys keys(key_);
  do token = keys.decrypt(token);
  while (!is_in_domain(token));
  return token;
}

uint64_t speck64_encrypt(uint64_t block, const CasSecret& key) {
  return RoundKeys(key).encrypt(block);
}

uint64_t speck64_decrypt(uint64_t block, const CasSecret& key) {
  return RoundKeys(key).decrypt(block);
}

}  // namespace base::memcache
