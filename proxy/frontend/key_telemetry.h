// KeyTelemetry: which keys are busy, from samples, in the worker's detail block.
//
// About one key in `one_in` is sampled, at the moment its request is answered: a request pays for one
// decrement and a branch. The distance to the next sample is drawn anew each time, from 1 to
// 2 * one_in - 1, since a fixed one would see only some keys of a client that repeats itself. Samples
// feed a space-saving sketch of kKeySlots keys: a key with more than 1/kKeySlots of the samples is
// always in it, and its count is at most `error` too high.
//
// Two windows take turns, so that a reader has the last 30 to 60 s. The sketch's own index is dense
// and private: looking a key up must not walk the segment.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/core/slots.h"
#include "base/telemetry/detail.h"
#include "base/time/clock.h"

namespace proxy {

// What a sample is of.
struct KeyUse {
  base::CacheId cache = 0;
  std::string_view key;
  bool is_write = false;
  bool is_miss = false;
  size_t bytes = 0;  // of its value, when it was read
};

// Thread: the worker's. Owner: the router. Invariant: hashes_ and counts_ mirror the current window.
class KeyTelemetry {
 public:
  KeyTelemetry(base::telemetry::DetailBlock& cells, uint64_t seed)
      : cells_(cells), state_(seed | 1) {}

  // 0: no samples.
  void set_policy(uint32_t one_in, bool with_text);
  // Once for each key that is answered: whether to call add().
  bool is_due() { return --until_ == 0; }
  void add(const KeyUse& use);
  // Lets the other window begin when it is time.
  void tick(base::Instant now);

 private:
  void draw_distance();
  size_t place_of(uint64_t hash);
  size_t take_place(uint64_t hash, const KeyUse& use);

  base::telemetry::DetailBlock& cells_;
  base::telemetry::KeyWindowCells* window_ = nullptr;  // null until the first tick
  uint64_t until_ = std::numeric_limits<uint64_t>::max();
  uint64_t state_;  // of a generator of distances: cheap, not secret
  uint32_t one_in_ = 0;
  bool with_text_ = true;
  uint32_t used_ = 0;
  std::array<uint64_t, base::telemetry::kKeySlots> hashes_{};
  std::array<uint32_t, base::telemetry::kKeySlots> counts_{};
};

}  // namespace proxy
