// Which log lines are worth their cost: admission before formatting.
//
// Per (event, key) the first line at once, then a token bucket; over the whole process a sliding
// window. What is refused is counted per (event, key) and handed out as summaries, when the burst
// is over or every ten seconds while it lasts. Cost per call is O(1) whatever happens: the table of
// keys is bounded, and past the bound the keys of an event share one entry.
//
// Leaves out: time (a parameter), locks (the caller's), text (log_format.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/telemetry/log.h"
#include "base/time/clock.h"

namespace base::log {

enum class Verdict {
  kAdmitted,
  kKeyRate,      // this event and key speak too often
  kProcessRate,  // the process as a whole does
};

// Thread: one at a time. Owner: log.cc.
// Invariant: every call is admitted or counted in exactly one summary.
class LogLimiter {
 public:
  static constexpr double kBurst = 5;           // lines after the first
  static constexpr Duration kRefill = 1s;       // one more line each
  static constexpr size_t kProcessLines = 100;  // in any window of kProcessWindow
  static constexpr Duration kProcessWindow = 1s;
  static constexpr size_t kKeys = 1024;    // beyond: one entry per event
  static constexpr size_t kKeyBytes = 64;  // of a key shown in a summary
  static constexpr Duration kQuiet = 1s;   // nothing suppressed for so long: burst over
  static constexpr Duration kSummaryEvery = 10s;
  static constexpr size_t kSummariesPerSweep = 20;  // the rest wait for the next sweep
  static constexpr Duration kForget = 60s;

  struct Call {
    Level level;
    const char* event;  // a literal
    std::string_view key_name, key;
  };
  struct Summary {
    Level level;
    const char* event;
    std::string key_name, key;
    uint64_t suppressed;
  };

  Verdict admit(const Call& call, Instant now);
  // The summaries that are due, longest unsaid first; they count as lines of the process. Call
  // about once a second.
  std::vector<Summary> sweep(Instant now);
  // All that is still unsaid, due or not, for the end of the process.
  std::vector<Summary> drain();
  size_t keys() const { return entries_.size(); }

 private:
  struct Entry {
    Level level;
    const char* event;
    std::string key_name, key;
    double tokens;
    Instant refilled;
    Instant last_call;
    uint64_t suppressed = 0;
    Instant last_suppressed;
    Instant summarised;  // last, or when a burst began that has had no summary yet
  };
  Entry& entry_for(const Call& call, Instant now);
  bool process_may_write(Instant now) const;
  void process_writes(Instant now);
  static Summary take_summary(Entry& entry, Instant now);

  std::unordered_map<uint64_t, Entry> entries_;  // by hash of event and key
  std::array<Instant, kProcessLines> lines_{};   // when the last lines were written: a ring
  uint64_t line_count_ = 0;
};

}  // namespace base::log
