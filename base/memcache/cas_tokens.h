// CasTokens: cas values as clients see them.
//
// Items of many caches share a backend, which numbers every store there is. The numbers themselves, or
// anything that keeps their differences, would tell a tenant how much the others store, and a token
// could match across a flush, an epoch or an owner. So what clients see is a permutation of them under a
// secret of the cache, another one for each generation, epoch and owner.
//
// The permutation: Speck64/128 (Beaulieu et al., "The SIMON and SPECK Families of Lightweight Block
// Ciphers", 2013), walked along its cycle until the result is in the domain again (Black and Rogaway,
// "Ciphers with Arbitrary Finite Domains", 2002). The domain is 1 to 2^63 - 1: zero means "no
// condition" to memcached, and languages whose numbers are signed are to read every token. A value
// outside, which only a client can have come up with (E of the meta commands), stands for itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/slots.h"

namespace base::memcache {

// Of one cache; the same in every proxy and after every restart. Zeroes: nobody has given it one.
using CasSecret = std::array<uint64_t, 2>;

// The secret of 32 hexadecimal digits, and the other way round. Nothing: it is no such text.
std::optional<CasSecret> parse_cas_secret(std::string_view text);
std::string to_text(const CasSecret& secret);

// A name of a slot's owner that is short enough to be kept per backend.
uint64_t owner_hash(std::string_view owner_id);

// Thread: any, a value. Its making costs a few instructions, its use about 100 ns.
class CasTokens {
 public:
  CasTokens() = default;
  CasTokens(const CasSecret& secret, CacheId cache, Generation generation, Epoch since,
            uint64_t owner_hash);

  // What the client sees of the backend's `cas`.
  uint64_t show(uint64_t cas) const;
  // The backend's, of what a client sent. Zero becomes a value that no item has: a token is a
  // condition.
  uint64_t read(uint64_t token) const;

 private:
  CasSecret key_{};
};

// Speck64/128, for tests: `block` and `key` with their most significant words first, as published.
uint64_t speck64_encrypt(uint64_t block, const CasSecret& key);
uint64_t speck64_decrypt(uint64_t block, const CasSecret& key);

}  // namespace base::memcache
