// SlowTelemetry: the last slow requests, with where their time went, in the worker's detail block.
//
// A request is slow when its answer came `threshold` or more after it was read; all are counted, and
// at most `per_second` of them kept (a token bucket of that size), so that a backend which makes every
// request slow costs no more than one that does so rarely. What a client itself delays is not slow:
// the time until it has taken the reply is noted, but no reason to keep a sample.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/core/slots.h"
#include "base/telemetry/detail.h"
#include "base/time/clock.h"
#include "proxy/admission/connection_counts.h"

namespace proxy {

struct SlowRequest {
  base::telemetry::Operation operation{};
  base::CacheId cache = 0;
  uint16_t backend = 0;
  std::optional<base::telemetry::Failure> failure;
  base::Instant read, sent, done;  // sent: with the kernel; done: answered, or given up
  admission::ClientAddress client{};
  std::string_view key;
};

// Thread: the worker's. Owner: the router. Invariant: unwritten_ holds at most kMostUnwritten.
class SlowTelemetry {
 public:
  // Whose reply is still on its way to the client.
  struct Unwritten {
    uint64_t number = 0;  // of the sample
    uint32_t client = 0, client_serial = 0;
    uint64_t ticket = 0;
    base::Instant done;
  };
  enum class Fate : uint8_t { kWaits, kWritten, kGone };

  explicit SlowTelemetry(base::telemetry::DetailBlock& cells) : cells_(cells) {}

  // `threshold` 0: none is slow.
  void set_policy(base::Duration threshold, uint32_t per_second, bool with_text);
  bool is_slow(int64_t took_ns) const { return took_ns >= threshold_ns_; }
  // Counts one; whether to call add() for it.
  bool admit(base::Instant now);
  // Its number.
  uint64_t add(const SlowRequest& request);

  void await_writing(const Unwritten& sample);
  bool has_unwritten() const { return !unwritten_.empty(); }
  // At the end of a turn: fate(sample) for each that is unwritten.
  template <class FateOf>
  void settle(base::Instant now, FateOf fate_of) {
    std::erase_if(unwritten_, [&](const Unwritten& sample) {
      const Fate fate = fate_of(sample);
      if (fate == Fate::kWritten) note_written(sample, now);
      return fate != Fate::kWaits;
    });
  }

 private:
  static constexpr size_t kMostUnwritten = 16;
  base::telemetry::SlowCells& cells_of(uint64_t number) {
    return cells_.slow[(number - 1) % base::telemetry::kSlowSlots];
  }
  void note_written(const Unwritten& sample, base::Instant now);

  base::telemetry::DetailBlock& cells_;
  int64_t threshold_ns_ = std::numeric_limits<int64_t>::max();
  double per_second_ = 0, tokens_ = 0;
  bool with_text_ = true;
  base::Instant refilled_;
  std::vector<Unwritten> unwritten_;
};

}  // namespace proxy
