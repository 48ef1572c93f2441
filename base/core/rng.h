// Randomness from the operating system: passwords, salts, tokens, instance numbers.
//
// The only place that draws it; whoever decides (a core room, the simulator) gets a seed or a
// number handed in instead, so that its runs repeat. No state and no generator of our own:
// getrandom(2) is cheap enough for everything here. If the kernel has no randomness to give, the
// process stops, since a predictable secret is worse than none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace base {

// Thread: any, all three.
void fill_random(void* bytes, size_t size);
std::string random_bytes(size_t count);
// `count` random bytes as 2 * count lower-case hex digits: 16 make a password of 128 bits.
std::string random_hex(size_t count);
uint64_t random_u64();

}  // namespace base
