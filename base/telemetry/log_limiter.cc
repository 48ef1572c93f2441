#include "base/telemetry/log_limiter.h"

#include <algorithm>
#include <cmath>

namespace base::log {
namespace {

constexpr size_t kSlots = 4 * LogLimiter::kKeys;  // mostly free, so that chains are short

// HyperLogLog's estimate, with linear counting where it is better.
double estimate(const std::array<uint8_t, kSketchRegisters>& registers) {
  constexpr double kCount = kSketchRegisters;
  double sum = 0;
  double zeros = 0;
  for (const uint8_t rank : registers) {
    sum += std::ldexp(1.0, -rank);
    zeros += rank == 0 ? 1 : 0;
  }
  const double raw = 0.7213 / (1 + 1.079 / kCount) * kCount * kCount / sum;
  return raw <= 2.5 * kCount && zeros > 0 ? kCount * std::log(kCount / zeros) : raw;
}

}  // namespace

void TokenBucket::earn(Instant now) {
  if (tokens_ < burst_) {
    tokens_ = std::min(burst_, tokens_ + to_seconds(now - at_) / to_seconds(refill_));
  }
  at_ = now;
}

Duration TokenBucket::until_next() const {
  if (has_one()) return Duration(0);
  return Duration(static_cast<int64_t>((1 - tokens_) * static_cast<double>(refill_.count())));
}

LogLimiter::LogLimiter() : events_(kEvents), keys_(kKeys), slots_(kSlots, 0), sketches_(kSketches) {
  events_[0].name = "further_events";
}

uint16_t LogLimiter::event_number(const char* event) {
  const std::string_view name(event);
  for (size_t i = 1; i < event_count_; ++i) {
    if (name == events_[i].name) return static_cast<uint16_t>(i);
  }
  if (event_count_ == kEvents) return 0;
  events_[event_count_].name = event;
  return static_cast<uint16_t>(event_count_++);
}

size_t LogLimiter::slot_of(uint64_t fingerprint) const {
  size_t slot = (fingerprint >> 16) % kSlots;
  while (slots_[slot] != 0 && keys_[slots_[slot] - 1u].fingerprint != fingerprint) {
    slot = (slot + 1) % kSlots;
  }
  return slot;
}

uint16_t LogLimiter::key_number(const Call& call, Instant now) {
  if (call.fingerprint == 0) return kNoKey;
  const size_t slot = slot_of(call.fingerprint);
  if (slots_[slot] != 0) return static_cast<uint16_t>(slots_[slot] - 1u);
  if (events_[call.event].known_keys == kEventKeys) return kNoKey;
  while (first_free_ < kKeys && keys_[first_free_].fingerprint != 0) ++first_free_;
  if (first_free_ == kKeys) return kNoKey;
  Key& key = keys_[first_free_];
  key.fingerprint = call.fingerprint;
  key.event = call.event;
  key.round = 0;
  key.tokens = TokenBucket(kBurst, kRefill, 1 + kBurst, now);
  key.size = static_cast<uint8_t>(std::min(call.key.size(), kKeyBytes));
  std::copy_n(call.key.data(), key.size, key.text.data());
  ++key_count_;
  ++events_[call.event].known_keys;
  slots_[slot] = static_cast<uint16_t>(first_free_ + 1);
  return static_cast<uint16_t>(first_free_);
}

// How long until the process may write one more line, when at most `lines` may be in the window.
Duration LogLimiter::process_waits(size_t lines, Instant now) const {
  if (line_count_ < lines) return Duration(0);
  const Instant oldest = lines_[(line_count_ - lines) % kProcessLines];
  return std::max(Duration(0), kProcessWindow - (now - oldest));
}

void LogLimiter::process_writes(Instant now) {
  lines_[line_count_++ % kProcessLines] = now;
}

LogLimiter::Decision LogLimiter::admit(const Call& call, Instant now) {
  Event& event = events_[call.event];
  event.level = call.level;
  if (!event.known) {
    event.known = true;
    event.own = TokenBucket(kBurst, kRefill, 1 + kBurst, now);
    event.all = TokenBucket(kEventBurst, kEventRefill, kEventBurst, now);
  }
  const uint16_t number = key_number(call, now);
  if (number != kNoKey) keys_[number].last_call = now;
  if (call.fingerprint != 0) event.key_name = call.key_name;

  TokenBucket& tokens = number == kNoKey ? event.own : keys_[number].tokens;
  tokens.earn(now);
  event.all.earn(now);
  const bool silent = !event.spoke || now - event.last_line >= kForget;
  const Duration process = process_waits(silent ? kProcessLines : kProcessLines - kReserved, now);
  Decision decision{Verdict::kAdmitted, number,
                    std::max(tokens.until_next(), event.all.until_next())};
  if (decision.holds > Duration(0)) {
    decision.verdict = Verdict::kKeyRate;
  } else if (process > Duration(0)) {
    decision.verdict = Verdict::kProcessRate;
    decision.holds = process;
  }
  if (decision.verdict == Verdict::kAdmitted) {
    tokens.take();
    event.all.take();
    event.spoke = true;
    event.last_line = now;
    process_writes(now);
    return decision;
  }
  count(call.event, number, 1, now);
  if (number == kNoKey && call.fingerprint != 0) note_key(call.event, call.fingerprint);
  return decision;
}

void LogLimiter::count(uint16_t event_number, uint16_t key_number, uint64_t calls, Instant now) {
  Event& event = events_[event_number];
  if (event.suppressed == 0) {
    event.first = now;
    if (now - event.since >= kSummaryEvery) event.since = now;
    ++event.round;
    event.keys = 0;
    event.sketched = false;
    event.a_key = kNoKey;
  }
  event.suppressed += calls;
  event.last = now;
  suppressed_ += calls;
  if (key_number == kNoKey) return;
  Key& key = keys_[key_number];
  key.last_call = now;
  if (key.round == event.round) return;
  key.round = event.round;
  event.a_key = key_number;
  ++event.keys;
}

uint8_t LogLimiter::sketch_for(uint16_t event) {
  if (events_[event].sketch != 0 || event == 0) return events_[event].sketch;
  for (size_t i = 0; i < kSketches; ++i) {
    if (sketch_users_[i] != 0) continue;
    sketch_users_[i] = event;
    sketches_[i].fill(0);
    return events_[event].sketch = static_cast<uint8_t>(i + 1);
  }
  return 0;
}

void LogLimiter::note_key(uint16_t event, uint64_t fingerprint) {
  const uint8_t sketch = sketch_for(event);
  if (sketch == 0) return;
  note_register(sketch, sketch_register(fingerprint), sketch_rank(fingerprint));
}

void LogLimiter::note_register(uint8_t sketch, size_t index, uint8_t rank) {
  uint8_t& at = sketches_[sketch - 1u][index];
  at = std::max(at, rank);
  events_[sketch_users_[sketch - 1u]].sketched = true;
}

LogLimiter::Summary LogLimiter::take_summary(Event& event, Instant now) {
  Summary summary{event.level,    event.name, event.suppressed, event.first, event.last,
                  event.key_name, event.keys, event.sketched,   ""};
  if (event.sketch != 0) {
    Sketch& sketch = sketches_[event.sketch - 1u];
    if (event.sketched) {
      for (const Key& key : keys_) {
        if (key.fingerprint == 0 || key.round != event.round) continue;
        if (&events_[key.event] != &event) continue;
        uint8_t& at = sketch[sketch_register(key.fingerprint)];
        at = std::max(at, sketch_rank(key.fingerprint));
      }
      summary.keys = std::max(event.keys, static_cast<uint64_t>(estimate(sketch) + 0.5));
    }
    sketch.fill(0);
    if (!event.sketched) {
      sketch_users_[event.sketch - 1u] = 0;
      event.sketch = 0;
    }
  }
  if (summary.keys == 0) summary.key_name = "";
  if (summary.keys == 1 && event.a_key != kNoKey) {
    summary.key.assign(keys_[event.a_key].text.data(), keys_[event.a_key].size);
  }
  event.suppressed = 0;
  event.since = now;
  event.sketched = false;
  return summary;
}

// Keys that nobody has spoken of; their places are free.
void LogLimiter::forget_silent(Instant now) {
  bool forgot = false;
  for (Key& key : keys_) {
    if (key.fingerprint == 0 || now - key.last_call < kForget) continue;
    if (events_[key.event].suppressed > 0) continue;  // its summary may name it
    key.fingerprint = 0;
    --key_count_;
    --events_[key.event].known_keys;
    forgot = true;
  }
  if (!forgot) return;
  first_free_ = 0;
  std::fill(slots_.begin(), slots_.end(), uint16_t{0});
  for (size_t i = 0; i < kKeys; ++i) {
    if (keys_[i].fingerprint != 0) {
      slots_[slot_of(keys_[i].fingerprint)] = static_cast<uint16_t>(i + 1);
    }
  }
}

std::vector<LogLimiter::Summary> LogLimiter::sweep(Instant now) {
  std::vector<Event*> due;
  for (size_t i = 0; i < event_count_; ++i) {
    Event& event = events_[i];
    if (event.suppressed == 0) continue;
    if (now - event.last >= kQuiet || now - event.since >= kSummaryEvery) due.push_back(&event);
  }
  std::sort(due.begin(), due.end(),
            [](const Event* a, const Event* b) { return a->first < b->first; });
  std::vector<Summary> summaries;
  for (Event* event : due) {
    if (summaries.size() == kSummariesPerSweep) break;
    if (process_waits(kProcessLines, now) > Duration(0)) break;
    process_writes(now);
    summaries.push_back(take_summary(*event, now));
  }
  forget_silent(now);
  return summaries;
}

std::vector<LogLimiter::Summary> LogLimiter::drain() {
  std::vector<Summary> summaries;
  for (size_t i = 0; i < event_count_; ++i) {
    if (events_[i].suppressed > 0) summaries.push_back(take_summary(events_[i], events_[i].last));
  }
  return summaries;
}

bool LogLimiter::has_unsaid() const {
  return std::any_of(events_.begin(), events_.end(),
                     [](const Event& event) { return event.suppressed > 0; });
}

}  // namespace base::log
