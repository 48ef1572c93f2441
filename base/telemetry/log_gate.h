// The gate in front of the log: what a call costs that will not be written.
//
// A flood is the same few lines millions of times, so the limiter (log_limiter.h), which takes a lock
// and reads the clock, is asked only when its answer may have changed. When it refuses, it says until
// which tick (of 100 ms) it will go on refusing, and until then calls only count: for an event
// without a key in the call site's own word, for a key in a table of the calling thread. Nothing
// that other threads write is touched but three words that are written a few times a second, so
// that a second thread costs the first one nothing.
//
// Counts are cells with one writer, the thread; the log's own thread collects them. A thread's table
// holds 1,024 keys; while a set of it is full of refused keys, further ones count for their event
// alone, and a sketch estimates how many they are.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/core/hash.h"
#include "base/telemetry/cells.h"
#include "base/time/clock.h"

namespace base::log {

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError };

inline constexpr size_t kEvents = 256;   // event 0: those beyond
inline constexpr size_t kKeySets = 256;  // of a thread
inline constexpr size_t kKeyWays = 4;
inline constexpr size_t kSketches = 8;  // events at a time whose keys are too many to tell apart
inline constexpr size_t kSketchRegisters = 1024;
inline constexpr Duration kTick = std::chrono::milliseconds(100);

// Which registers of a sketch (HyperLogLog) a fingerprint belongs to, and the number it wants there.
inline size_t sketch_register(uint64_t fingerprint) {
  return (fingerprint >> 1) % kSketchRegisters;
}
inline uint8_t sketch_rank(uint64_t fingerprint) {
  return static_cast<uint8_t>(std::countl_zero(fingerprint | 2 * kSketchRegisters) + 1);
}

// Read by every call, written at most once a tick. Thread: any.
struct GateWords {
  // Now, in ticks of CLOCK_MONOTONIC, as the log's thread last saw it. While there is no such thread
  // it is the greatest number: then no gate is closed.
  std::atomic<uint32_t> tick{UINT32_MAX};
  std::atomic<Level> level{Level::kInfo};
  std::array<std::atomic<uint8_t>, kEvents> sketch_of;  // 1 + the event's sketch; 0: none
};
inline constinit GateWords gate_words{};

// One call in the source. Thread: any; written under the log's mutex.
struct Site {
  std::atomic<uint32_t> closed_until{0};  // calls without a key, a tick
  std::atomic<uint32_t> others_until{0};  // keys that have no place in the thread's table
  std::atomic<uint32_t> event{0};         // its number; 0: not known yet
};

// Up to four keys that the limiter has refused. The first line is all that most calls read.
struct alignas(64) KeySet {
  std::array<std::atomic<uint64_t>, kKeyWays> fingerprint;  // 0: free
  std::array<std::atomic<uint32_t>, kKeyWays> until;        // refused before this tick
  // Before this tick no key gets a way here.
  std::atomic<uint32_t> full_until;
  std::array<uint16_t, kKeyWays> key;  // the limiter's; guarded by the mutex
  alignas(64) std::array<telemetry::Cell, kKeyWays> suppressed;  // since ever
  std::array<uint64_t, kKeyWays> collected;                      // of them; guarded by the mutex
};

// What one thread has suppressed. Everything but the cells is written under the log's mutex, and a
// way changes hands only when its key is not refused any more. Zero is the initial value.
struct ThreadCounts {
  std::array<telemetry::Cell, kEvents> suppressed;  // but for what the sets say
  std::array<uint64_t, kEvents> collected;          // guarded by the mutex
  std::array<KeySet, kKeySets> sets;
  std::array<std::array<std::atomic<uint8_t>, kSketchRegisters>, kSketches> sketches;
  size_t ways;  // of the sets, that a key has; guarded by the mutex
};
inline constinit thread_local ThreadCounts* thread_counts = nullptr;

inline uint64_t load_word(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
inline uint32_t load_half(const char* at) {
  uint32_t half;
  std::memcpy(&half, at, sizeof half);
  return half;
}

// Never 0. Two loads for what identifiers and addresses are; hash64's tail would call memcpy.
inline uint64_t fingerprint_of(std::string_view key, uint64_t event) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ULL;
  const char* const at = key.data();
  const size_t size = key.size();
  uint64_t first = 0, last = 0;
  if (size >= 8 && size <= 16) {
    first = load_word(at);
    last = load_word(at + size - 8);
  } else if (size > 16) {
    first = hash64(key, event);
  } else if (size >= 4) {
    first = load_half(at);
    last = load_half(at + size - 4);
  } else if (size > 0) {
    first = static_cast<unsigned char>(at[0]) | static_cast<unsigned char>(at[size / 2]) << 8 |
            static_cast<unsigned char>(at[size - 1]) << 16;
  }
  return fold_multiply(first ^ kOdd ^ size, last ^ (event << 32) ^ 0xd6e8feb86659fd93ULL) | 1;
}
inline uint64_t fingerprint_of(int64_t key, uint64_t event) {
  return mix64(static_cast<uint64_t>(key), event) | 1;
}
inline size_t set_of(uint64_t fingerprint) {
  return (fingerprint >> 32) % kKeySets;
}

// Whether a call without a key is refused; then it has been counted.
[[gnu::always_inline]] inline bool counts_as_suppressed(const Site& site) {
  const uint32_t tick = gate_words.tick.load(std::memory_order_relaxed);
  if (site.closed_until.load(std::memory_order_relaxed) <= tick) [[likely]]
    return false;
  ThreadCounts* const counts = thread_counts;
  if (counts == nullptr) [[unlikely]]
    return false;
  counts->suppressed[site.event.load(std::memory_order_relaxed) % kEvents].add();
  return true;
}

// Likewise for a call about a key.
template <class Key>
inline bool counts_as_suppressed(const Site& site, Key key) {
  ThreadCounts* const counts = thread_counts;
  if (counts == nullptr) [[unlikely]]
    return false;
  const uint32_t tick = gate_words.tick.load(std::memory_order_relaxed);
  const uint32_t event = site.event.load(std::memory_order_relaxed) % kEvents;
  const uint64_t fingerprint = fingerprint_of(key, event);
  KeySet& set = counts->sets[set_of(fingerprint)];
  for (size_t way = 0; way < kKeyWays; ++way) {
    if (set.fingerprint[way].load(std::memory_order_relaxed) != fingerprint) continue;
    if (set.until[way].load(std::memory_order_relaxed) <= tick) return false;
    set.suppressed[way].add();
    return true;
  }
  if (set.full_until.load(std::memory_order_relaxed) <= tick) return false;
  if (site.others_until.load(std::memory_order_relaxed) <= tick) return false;
  counts->suppressed[event].add();
  const uint8_t sketch = gate_words.sketch_of[event].load(std::memory_order_relaxed);
  if (sketch != 0) {
    auto& cell = counts->sketches[(sketch - 1u) % kSketches][sketch_register(fingerprint)];
    const uint8_t rank = sketch_rank(fingerprint);
    if (cell.load(std::memory_order_relaxed) < rank) cell.store(rank, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace base::log
