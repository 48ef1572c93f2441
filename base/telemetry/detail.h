// The second part of the telemetry segment: what is looked at when somebody asks *why*.
//
// One DetailBlock per worker, behind the WorkerBlocks (segment.h), under the same rules: plain memory,
// one writer, relaxed stores, the worker's sequence number covers both of its blocks. Everything has a
// fixed size: the busiest keys by a space-saving sketch over samples, and the last slow requests in a
// ring.
//
// A key's text is the client's data. It is here only when the proxy's `samples.keys` says `text`, and
// then only its first kShownKeyBytes; else its hash alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/telemetry/cells.h"

namespace base::telemetry {

// A key as it is shown: the beginning of its text, its size, and hash64(text, seed = cache).
inline constexpr size_t kShownKeyBytes = 128;
struct ShownKeyCells {
  Cell hash;  // never 0 when there is a key
  Cell cache;
  Cell size;       // of the whole key
  Cell text_size;  // of what is in text; 0 when only hashes are kept
  std::array<Cell, kShownKeyBytes / 8> text;

  void set(uint64_t key_hash, uint32_t of_cache, std::string_view key, bool with_text);
  void forget_text();  // keeps the hash
};
struct ShownKey {
  uint64_t hash = 0;
  uint32_t cache = 0;
  size_t size = 0;
  std::string text;  // raw bytes of a client: escape before showing
  static ShownKey of(const ShownKeyCells& cells);
};
uint64_t key_hash(uint32_t cache, std::string_view key);

// A space-saving sketch of one stretch of time. `count` is at most `error` above the number of the
// key's samples, never below; a key that is not in a full sketch has at most the smallest count.
inline constexpr size_t kKeySlots = 256;
inline constexpr Duration kKeyWindow = std::chrono::seconds(30);
struct KeyCells {
  ShownKeyCells key;
  Cell count, error;
  Cell misses, writes, bytes;  // since it entered; bytes: of values
};
struct KeyWindowCells {
  Cell began_ns;  // 0: never used
  Cell samples;   // the sum of all counts
  Cell used;      // keys[0, used)
  std::array<KeyCells, kKeySlots> keys;
};

// One request that took at least `samples.slow`. Times add up to what its client waited.
inline constexpr size_t kSlowSlots = 128;
inline constexpr uint64_t kUnknownTime = UINT64_MAX;
struct SlowCells {
  Cell number;  // the how manieth of its worker, from 1; 0: empty
  Cell at_ns;   // Instant of the reply, or of giving up
  Cell operation, backend;
  Cell failure;  // 0: answered; else 1 + Failure
  Cell
      queued_ns;  // from reading the request until it was with the kernel, on its way to the backend
  Cell backend_ns;  // until the backend's reply was read
  Cell
      written_ns;  // until the client's connection had taken it; kUnknownTime: not yet, or it closed
  std::array<Cell, 2> client;
  ShownKeyCells key;
};

struct alignas(64) DetailBlock {
  Cell sampled_one_in;  // 0: no keys are sampled
  Cell key_samples;     // total
  std::array<KeyWindowCells, 2> windows;
  Cell slow_seen;     // total: requests that were slow
  Cell slow_written;  // total: those that were kept; slow[(number - 1) % kSlowSlots]
  std::array<SlowCells, kSlowSlots> slow;
  // How busy the worker's thread is, told at each of its ticks. Where the block was padded: zero of a
  // proxy that does not tell.
  Cell spent_at_ns;  // Instant of the tick's turn, in which the two below were read; 0: not told
  Cell ran_ns;       // total: it worked; looking for something to do is no work
  Cell
      waited_ns;  // total: it had something to do, and no core; kUnknownTime: its kernel does not tell
};

}  // namespace base::telemetry
