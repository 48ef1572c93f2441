// Which log lines are worth their cost: admission before formatting.
//
// Per (event, key) the first line at once, then a token bucket; a wider bucket per event; over the
// whole process a sliding window, part of which is kept for events that have been silent. What is
// refused is counted per event and handed out as summaries, when the burst is over or every ten
// seconds while it lasts. Cost per call is O(1) and memory is fixed whatever happens: past the bound of
// the tables keys share one entry of their event, and a sketch estimates how many they are.
//
// A refusal says for how long it will hold, so that the gate (log_gate.h) need not ask again.
//
// Leaves out: time (a parameter), locks (the caller's), text (log_format.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/telemetry/log_gate.h"
#include "base/time/clock.h"

namespace base::log {

enum class Verdict {
  kAdmitted,
  kKeyRate,      // this key, or its event, speaks too often
  kProcessRate,  // the process as a whole does
};

// Tokens that come back with time. Thread: one. Owner: LogLimiter.
class TokenBucket {
 public:
  TokenBucket() = default;
  TokenBucket(double burst, Duration refill, double tokens, Instant now)
      : burst_(burst), refill_(refill), tokens_(tokens), at_(now) {}
  void earn(Instant now);
  bool has_one() const { return tokens_ >= 1; }
  void take() { tokens_ -= 1; }
  Duration until_next() const;  // as of the last earn()

 private:
  double burst_ = 0;
  Duration refill_{};
  double tokens_ = 0;
  Instant at_{};
};

// Thread: one at a time. Owner: log.cc.
// Invariant: every call is admitted or counted in exactly one summary.
class LogLimiter {
 public:
  static constexpr double kBurst = 5;        // lines after the first
  static constexpr Duration kRefill = 1s;    // one more line each
  static constexpr double kEventBurst = 64;  // lines of an event, over all its keys
  static constexpr Duration kEventRefill = 100ms;
  static constexpr size_t kProcessLines = 100;  // in any window of kProcessWindow
  static constexpr size_t kReserved = 20;       // of them only for an event's first in kForget
  static constexpr Duration kProcessWindow = 1s;
  static constexpr size_t kKeys = 1024;      // beyond: one entry per event
  static constexpr size_t kEventKeys = 256;  // likewise: one event leaves room for the others'
  static constexpr size_t kKeyBytes = 64;    // of a key shown in a summary
  static constexpr Duration kQuiet = 1s;     // nothing suppressed for so long: burst over
  static constexpr Duration kSummaryEvery = 10s;
  static constexpr size_t kSummariesPerSweep = 20;  // the rest wait for the next sweep
  static constexpr Duration kForget = 60s;
  static constexpr uint16_t kNoKey = UINT16_MAX;

  struct Call {
    Level level;
    uint16_t event;             // of event_number()
    uint64_t fingerprint;       // 0: about no key
    std::string_view key_name;  // a literal
    std::string_view key;
  };
  struct Decision {
    Verdict verdict;
    uint16_t key = kNoKey;  // its number, for count(); kNoKey: shares its event's entry
    Duration holds{};       // a refusal: as long as this nothing would be admitted
  };
  struct Summary {
    Level level;
    const char* event;
    uint64_t suppressed;
    Instant first, last;
    std::string_view key_name;  // "": no call was about a key
    uint64_t keys;              // how many
    bool estimated;             // within a few percent, rather than exactly
    std::string key;            // if there was one
  };

  LogLimiter();
  // The same number for the same text; 0 for all beyond kEvents - 1. Never forgets one.
  uint16_t event_number(const char* event);
  // A refused call is counted.
  Decision admit(const Call& call, Instant now);
  // `calls` more were refused meanwhile, by the gate. A key keeps its number while it is refused and for
  // kForget after.
  void count(uint16_t event, uint16_t key, uint64_t calls, Instant now);
  uint16_t event_of(uint16_t key) const { return keys_[key].event; }
  // Keys that share their event's entry are told apart by a sketch, if one is left.
  // 1 + its number; 0: none.
  uint8_t sketch_for(uint16_t event);
  uint8_t sketch_of(uint16_t event) const { return events_[event].sketch; }
  void note_key(uint16_t event, uint64_t fingerprint);
  void note_register(uint8_t sketch, size_t index, uint8_t rank);

  // The summaries that are due, longest unsaid first; they count as lines of the process. Call
  // about once a second.
  std::vector<Summary> sweep(Instant now);
  // All that is still unsaid, due or not, for the end of the process.
  std::vector<Summary> drain();
  bool has_unsaid() const;
  size_t keys() const { return key_count_; }
  uint64_t suppressed() const { return suppressed_; }  // since ever

 private:
  struct Event {
    const char* name = nullptr;
    Level level = Level::kInfo;
    uint8_t sketch = 0;
    bool known = false;       // the buckets are made
    TokenBucket own;          // for calls without a key, and for keys that share
    TokenBucket all;          // for all of them
    Instant last_line;        // or that it was never silent so long
    bool spoke = false;       // within kForget
    size_t known_keys = 0;    // in the table
    uint64_t suppressed = 0;  // and not said yet, like all below
    Instant first, last;
    Instant since;       // the last summary, or the beginning of a burst that has had none
    uint64_t round = 0;  // of counting keys
    uint64_t keys = 0;   // those of `round`, but for those in the sketch
    bool sketched = false;
    uint16_t a_key = kNoKey;
    std::string_view key_name;
  };
  struct Key {
    uint64_t fingerprint = 0;  // 0: free
    uint16_t event = 0;
    uint64_t round = 0;  // of its event, when last counted
    TokenBucket tokens;
    Instant last_call;
    uint8_t size = 0;
    std::array<char, kKeyBytes> text;
  };
  using Sketch = std::array<uint8_t, kSketchRegisters>;

  uint16_t key_number(const Call& call, Instant now);
  size_t slot_of(uint64_t fingerprint) const;
  void forget_silent(Instant now);
  Duration process_waits(size_t lines, Instant now) const;
  void process_writes(Instant now);
  Summary take_summary(Event& event, Instant now);

  // Fixed in size, made once.
  std::vector<Event> events_;
  std::vector<Key> keys_;
  std::vector<uint16_t> slots_;  // keys by fingerprint, open addressing: 1 + number; 0: free
  std::vector<Sketch> sketches_;
  std::array<uint16_t, kSketches> sketch_users_{};  // events; 0: free
  size_t event_count_ = 1;
  size_t key_count_ = 0;
  size_t first_free_ = 0;  // no key below is free
  uint64_t suppressed_ = 0;
  std::array<Instant, kProcessLines> lines_{};  // when the last lines were written: a ring
  uint64_t line_count_ = 0;
};

}  // namespace base::log
