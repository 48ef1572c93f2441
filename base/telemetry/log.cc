#include "base/telemetry/log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <memory>
#include <mutex>
#include <vector>

#include "base/telemetry/log_format.h"
#include "base/telemetry/log_limiter.h"
#include "base/telemetry/log_writer.h"

namespace base::log {
namespace {

constexpr size_t kMostThreads = 256;  // with counts of their own; the others ask each time
constexpr Duration kIdleTick = 1s;    // while nothing is suppressed
// A way of a set is taken from a key that has not been refused for so long. Less than the limiter
// remembers a key, so that no way ever names a key that is forgotten.
constexpr Duration kStale = LogLimiter::kForget / 2;

uint32_t tick_of(Instant at) {
  return static_cast<uint32_t>(at.ns / kTick.count());
}

// The one log of the process: there is one stderr, and a budget of lines only means something for
// the process as a whole.
struct Log {
  const SystemClock clock{};

  std::mutex mutex;
  // Guarded by mutex.
  Format format = Format::kLogfmt;
  LogLimiter limiter;
  std::shared_ptr<LogWriter> writer;  // null: stderr, in the caller's thread
  uint64_t admitted = 0;
  // Of those, but for what the present writer has written and failed to write.
  uint64_t written = 0;
  uint64_t dropped = 0;
  uint32_t closed_until = 0;  // the last gate opens at this tick
  Instant swept;
  std::vector<std::unique_ptr<ThreadCounts>> counts;  // of all threads there ever were
  std::vector<ThreadCounts*> idle_counts;             // of those that have ended
};

Log& process_log() {
  // Never destroyed: threads may log while static objects are torn down.
  static Log& log = *new Log;
  return log;
}

// Gives a thread its counts, and to the next one when it ends. Thread: its own.
class CountsLease {
 public:
  ~CountsLease() {
    if (thread_counts == nullptr) return;
    Log& log = process_log();
    const std::lock_guard lock(log.mutex);
    log.idle_counts.push_back(thread_counts);
    thread_counts = nullptr;
    ended_ = true;
  }
  // Under the mutex. Null: there are too many threads, or this one is ending.
  ThreadCounts* take(Log& log) {
    if (thread_counts != nullptr || ended_) return thread_counts;
    if (!log.idle_counts.empty()) {
      thread_counts = log.idle_counts.back();
      log.idle_counts.pop_back();
    } else if (log.counts.size() < kMostThreads) {
      log.counts.push_back(std::make_unique<ThreadCounts>());
      thread_counts = log.counts.back().get();
    }
    return thread_counts;
  }

 private:
  bool ended_ = false;
};
thread_local CountsLease counts_lease;

// Where a call's key within its event comes from: the first field with such a name.
struct Key {
  std::string_view name, text;
  uint64_t fingerprint = 0;
  char number[24];

  Key(const Fields& fields, uint32_t event) {
    for (const Field& field : fields) {
      if (!field.is_key()) continue;
      name = field.key;
      if (field.kind == Field::Kind::kInteger) {
        const auto end = std::to_chars(number, number + sizeof number, field.integer()).ptr;
        text = std::string_view(number, static_cast<size_t>(end - number));
        fingerprint = fingerprint_of(field.integer(), event);
      } else {
        text = field.text();
        fingerprint = fingerprint_of(text, event);
      }
      return;
    }
  }
};

// What follows up to the end of the namespace is called under the mutex.

void collect(LogLimiter& limiter, KeySet& set, size_t way, Instant now) {
  const uint64_t suppressed = set.suppressed[way].get();
  if (suppressed == set.collected[way]) return;
  const uint16_t key = set.key[way];
  limiter.count(limiter.event_of(key), key, suppressed - set.collected[way], now);
  set.collected[way] = suppressed;
}

// How many ways are free from now on.
size_t collect(LogLimiter& limiter, KeySet& set, uint32_t tick, Instant now) {
  size_t freed = 0;
  constexpr uint32_t kStaleTicks = kStale / kTick;
  for (size_t way = 0; way < kKeyWays; ++way) {
    if (set.fingerprint[way].load(std::memory_order_relaxed) == 0) continue;
    collect(limiter, set, way, now);
    if (set.until[way].load(std::memory_order_relaxed) + kStaleTicks <= tick) {
      set.fingerprint[way].store(0, std::memory_order_relaxed);
      ++freed;
    }
  }
  return freed;
}

// Hands the limiter what the gates have counted since it was last called.
void collect(Log& log, Instant now) {
  const uint32_t tick = tick_of(now);
  for (const auto& counts : log.counts) {
    for (size_t i = 0; i < kEvents; ++i) {
      const uint64_t suppressed = counts->suppressed[i].get();
      if (suppressed == counts->collected[i]) continue;
      const auto event = static_cast<uint16_t>(i);
      log.limiter.count(event, LogLimiter::kNoKey, suppressed - counts->collected[i], now);
      counts->collected[i] = suppressed;
      const uint8_t sketch = log.limiter.sketch_of(event);
      if (sketch == 0) continue;
      auto& registers = counts->sketches[sketch - 1u];
      for (size_t at = 0; at < registers.size(); ++at) {
        const uint8_t rank = registers[at].exchange(0, std::memory_order_relaxed);
        if (rank != 0) log.limiter.note_register(sketch, at, rank);
      }
    }
    // Mostly none: to look through all of them is what an idle process would do most.
    if (counts->ways == 0) continue;
    for (KeySet& set : counts->sets) counts->ways -= collect(log.limiter, set, tick, now);
  }
}

void raise(std::atomic<uint32_t>& until, uint32_t tick) {
  until.store(std::max(until.load(std::memory_order_relaxed), tick), std::memory_order_relaxed);
}

// A way of the thread's own set for a refused key; false: all are taken.
bool take_way(Log& log, ThreadCounts& counts, uint64_t fingerprint, uint16_t key, uint32_t until,
              Instant now) {
  KeySet& set = counts.sets[set_of(fingerprint)];
  const uint32_t tick = tick_of(now);
  uint32_t first_free = UINT32_MAX;
  size_t free = kKeyWays;
  for (size_t way = 0; way < kKeyWays; ++way) {
    const uint64_t holder = set.fingerprint[way].load(std::memory_order_relaxed);
    const uint32_t held = set.until[way].load(std::memory_order_relaxed);
    if (holder == fingerprint) {
      set.until[way].store(until, std::memory_order_relaxed);
      return true;
    }
    if (holder == 0 || held <= tick) free = way;
    first_free = std::min(first_free, held);
  }
  if (free == kKeyWays) {
    raise(set.full_until, first_free);
    return false;
  }
  if (set.fingerprint[free].load(std::memory_order_relaxed) != 0) {
    collect(log.limiter, set, free, now);
  } else {
    ++counts.ways;
  }
  set.key[free] = key;
  set.fingerprint[free].store(fingerprint, std::memory_order_relaxed);
  set.until[free].store(until, std::memory_order_relaxed);
  return true;
}

// Until the limiter's refusal ends, the calling thread need not ask again.
void close_gate(Log& log, Site& site, const Key& key, const LogLimiter::Decision& decision,
                Instant now) {
  if (log.writer == nullptr) return;  // nobody would open it
  ThreadCounts* const counts = counts_lease.take(log);
  if (counts == nullptr) return;
  const uint32_t until = tick_of(now + decision.holds) + 1;
  if (key.fingerprint == 0) {
    raise(site.closed_until, until);
  } else {
    KeySet& set = counts->sets[set_of(key.fingerprint)];
    const bool shares = decision.key == LogLimiter::kNoKey;
    if (shares) raise(set.full_until, until);
    if (shares || !take_way(log, *counts, key.fingerprint, decision.key, until, now)) {
      raise(site.others_until, until);
      const auto event = static_cast<uint16_t>(site.event.load(std::memory_order_relaxed));
      gate_words.sketch_of[event].store(log.limiter.sketch_for(event), std::memory_order_relaxed);
    }
  }
  if (log.closed_until <= gate_words.tick.load(std::memory_order_relaxed)) log.writer->hurry();
  log.closed_until = std::max(log.closed_until, until);
}

}  // namespace

namespace {

bool write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(STDERR_FILENO, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

bool emit(LogWriter* writer, std::string line, LogWriter::Kind kind) {
  return writer != nullptr ? writer->push(std::move(line), kind) : write_to_stderr(line);
}

// "amber-backend-1", or how many they were.
Field key_field(const LogLimiter::Summary& summary) {
  if (!summary.key.empty()) return Field(summary.key_name, summary.key);
  if (summary.key_name == "proxy") return Field("proxies", summary.keys);
  if (summary.key_name == "backend") return Field("backends", summary.keys);
  if (summary.key_name == "cache") return Field("caches", summary.keys);
  return Field("clients", summary.keys);
}

void emit_summaries(Log& log, LogWriter* writer, Format format,
                    const std::vector<LogLimiter::Summary>& summaries) {
  const Instant now = log.clock.now();
  const WallTime wall = log.clock.wall();
  const auto when = [&](Instant at) { return (wall + (at - now)).to_rfc3339(); };
  for (const LogLimiter::Summary& summary : summaries) {
    const std::string first = when(summary.first), last = when(summary.last);
    const double seconds = std::round(to_seconds(summary.last - summary.first) * 10) / 10;
    std::vector<Field> fields = {{"suppressed", summary.suppressed}, {"seconds", seconds}};
    if (!summary.key_name.empty()) fields.push_back(key_field(summary));
    fields.emplace_back("first", first);
    fields.emplace_back("last", last);
    emit(writer,
         format_line({wall, summary.level, summary.event, Fields(fields.data(), fields.size())},
                     format),
         LogWriter::Kind::kSummary);
  }
}

// The writer's tick: opens gates whose time has come, collects, says what is due. Returns when it
// wants to be called again.
Duration tick() {
  Log& log = process_log();
  std::vector<LogLimiter::Summary> summaries;
  std::shared_ptr<LogWriter> writer;
  Format format{};
  Duration next = kIdleTick;
  {
    const std::lock_guard lock(log.mutex);
    if (log.writer == nullptr) return next;
    const Instant now = log.clock.now();
    gate_words.tick.store(tick_of(now), std::memory_order_relaxed);
    collect(log, now);
    if (log.closed_until > tick_of(now)) next = kTick;
    if (now - log.swept >= kIdleTick) {
      log.swept = now;
      summaries = log.limiter.sweep(now);
      for (size_t i = 0; i < kEvents; ++i) {
        gate_words.sketch_of[i].store(log.limiter.sketch_of(static_cast<uint16_t>(i)),
                                      std::memory_order_relaxed);
      }
    }
    writer = log.writer;
    format = log.format;
  }
  emit_summaries(log, writer.get(), format, summaries);
  return next;
}

}  // namespace

Result<> start(const Options& options) {
  Log& log = process_log();
  auto writer = LogWriter::open(options, tick);
  if (!writer) return writer.error();
  const std::lock_guard lock(log.mutex);
  CHECK(log.writer == nullptr);
  gate_words.level.store(options.level, std::memory_order_relaxed);
  gate_words.tick.store(tick_of(log.clock.now()), std::memory_order_relaxed);
  log.format = (*writer)->to_journal() ? Format::kJournal
               : options.json          ? Format::kJson
                                       : Format::kLogfmt;
  log.writer = std::move(*writer);
  return Done{};
}

void set_level(Level level) {
  gate_words.level.store(level, std::memory_order_relaxed);
}

void reopen() {
  Log& log = process_log();
  const std::lock_guard lock(log.mutex);
  if (log.writer != nullptr) log.writer->reopen();
}

void stop() {
  Log& log = process_log();
  std::vector<LogLimiter::Summary> summaries;
  std::shared_ptr<LogWriter> writer;
  Format format{};
  {
    const std::lock_guard lock(log.mutex);
    if (log.writer == nullptr) return;
    gate_words.tick.store(UINT32_MAX, std::memory_order_relaxed);
    collect(log, log.clock.now());
    summaries = log.limiter.drain();
    writer = log.writer;
    format = log.format;
  }
  emit_summaries(log, writer.get(), format, summaries);
  writer->stop(1s);
  const std::lock_guard lock(log.mutex);
  gate_words.tick.store(UINT32_MAX,
                        std::memory_order_relaxed);  // a tick may have moved it meanwhile
  log.written += writer->written();
  log.dropped += writer->failed();
  log.writer = nullptr;
  log.format = Format::kLogfmt;
  log.closed_until = 0;
}

void submit(Site& site, Level level, const char* event, Fields fields) {
  Log& log = process_log();
  std::shared_ptr<LogWriter> writer;
  Format format{};
  {
    const std::lock_guard lock(log.mutex);
    const uint16_t number = log.limiter.event_number(event);
    site.event.store(number, std::memory_order_relaxed);
    const Key key(fields, number);
    const Instant now = log.clock.now();
    const LogLimiter::Decision decision =
        log.limiter.admit({level, number, key.fingerprint, key.name, key.text}, now);
    if (decision.verdict != Verdict::kAdmitted) {
      close_gate(log, site, key, decision, now);
      return;
    }
    ++log.admitted;
    writer = log.writer;
    format = log.format;
  }
  std::string line = format_line({log.clock.wall(), level, event, fields}, format);
  const bool taken = emit(writer.get(), std::move(line), LogWriter::Kind::kCall);
  if (taken && writer != nullptr) return;  // the writer counts it
  const std::lock_guard lock(log.mutex);
  ++(taken ? log.written : log.dropped);
}

Totals totals() {
  Log& log = process_log();
  const std::lock_guard lock(log.mutex);
  collect(log, log.clock.now());
  const uint64_t written = log.written + (log.writer ? log.writer->written() : 0);
  const uint64_t dropped = log.dropped + (log.writer ? log.writer->failed() : 0);
  return {written, log.limiter.suppressed(), dropped, log.admitted - written - dropped};
}

}  // namespace base::log
