// hash64: the one hash that crosses processes (slots, sketches). Its values are part of the wire
// format between proxies and agent, so it must never change: a proxy and an agent of different
// versions have to agree on the slot of every key. tests/unit/base/core pins its values.
//
// Multiply-and-fold over 8-byte words (the construction of wyhash and mum-hash); 64x64->128
// multiplications mix well enough that any 14 bits serve as a slot number. Not for adversaries.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace base {

inline uint64_t fold_multiply(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash64(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kOdd1 = 0x9e3779b97f4a7c15ULL;
  constexpr uint64_t kOdd2 = 0xd6e8feb86659fd93ULL;
  uint64_t state = fold_multiply(seed ^ kOdd1, bytes.size() ^ kOdd2);
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    state = fold_multiply(state ^ word, kOdd1);
  }
  uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, at, left);
  state = fold_multiply(state ^ tail, kOdd2);
  return fold_multiply(state, kOdd1 ^ bytes.size());
}

inline uint64_t mix64(uint64_t a, uint64_t b) {
  return fold_multiply(a ^ 0x9e3779b97f4a7c15ULL, b ^ 0xd6e8feb86659fd93ULL);
}

}  // namespace base
