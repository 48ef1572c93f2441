#include "base/telemetry/log.h"

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <memory>
#include <mutex>

#include "base/telemetry/log_format.h"
#include "base/telemetry/log_limiter.h"
#include "base/telemetry/log_writer.h"

namespace base::log {
namespace {

// The one log of the process: there is one stderr, and a budget of lines only means something for
// the process as a whole.
struct Log {
  const SystemClock clock{};
  std::atomic<Level> level{Level::kInfo};

  std::mutex mutex;
  // Guarded by mutex.
  bool json = false;
  LogLimiter limiter;
  std::shared_ptr<LogWriter> writer;  // null: stderr, in the caller's thread
  Totals totals;                      // `written` includes what the writer failed to write since
  uint64_t failed_before = 0;         // by writers that have ended
};

Log& process_log() {
  // Never destroyed: threads may log while static objects are torn down.
  static Log& log = *new Log;
  return log;
}

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

// Where a call's key within its event comes from: the first field with such a name.
struct Key {
  std::string_view name, text;
  char number[24];
};
void find_key(const Fields& fields, Key& key) {
  for (const Field& field : fields) {
    if (field.key != "backend" && field.key != "proxy" && field.key != "cache" &&
        field.key != "client") {
      continue;
    }
    key.name = field.key;
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      key.text = *text;
    } else if (const auto* number = std::get_if<int64_t>(&field.value)) {
      const auto end = std::to_chars(key.number, key.number + sizeof key.number, *number).ptr;
      key.text = std::string_view(key.number, static_cast<size_t>(end - key.number));
    }
    return;
  }
}

void emit_summaries(Log& log, LogWriter* writer, bool json,
                    const std::vector<LogLimiter::Summary>& summaries) {
  for (const LogLimiter::Summary& summary : summaries) {
    const Field count("suppressed", summary.suppressed);
    const WallTime at = log.clock.wall();
    const std::string line =
        summary.key_name.empty()
            ? format_line({at, summary.level, summary.event, {count}}, json)
            : format_line(
                  {at, summary.level, summary.event, {Field(summary.key_name, summary.key), count}},
                  json);
    emit(writer, line, LogWriter::Kind::kSummary);
  }
}

void sweep() {
  Log& log = process_log();
  std::vector<LogLimiter::Summary> summaries;
  std::shared_ptr<LogWriter> writer;
  bool json = false;
  {
    const std::lock_guard lock(log.mutex);
    summaries = log.limiter.sweep(log.clock.now());
    writer = log.writer;
    json = log.json;
  }
  if (writer) emit_summaries(log, writer.get(), json, summaries);
}

}  // namespace

Result<> start(const Options& options) {
  Log& log = process_log();
  auto writer = LogWriter::open(options.file, options.max_bytes, sweep);
  if (!writer) return writer.error();
  const std::lock_guard lock(log.mutex);
  CHECK(log.writer == nullptr);
  log.level = options.level;
  log.json = options.json;
  log.writer = std::move(*writer);
  return Done{};
}

void set_level(Level level) {
  process_log().level.store(level, std::memory_order_relaxed);
}

void stop() {
  Log& log = process_log();
  std::vector<LogLimiter::Summary> summaries;
  std::shared_ptr<LogWriter> writer;
  bool json = false;
  {
    const std::lock_guard lock(log.mutex);
    if (log.writer == nullptr) return;
    summaries = log.limiter.drain();
    writer = log.writer;
    json = log.json;
  }
  emit_summaries(log, writer.get(), json, summaries);
  writer->stop(1s);
  const std::lock_guard lock(log.mutex);
  log.failed_before += writer->failed();
  log.writer = nullptr;
  log.json = false;
}

void write(Level level, const char* event, Fields fields) {
  Log& log = process_log();
  if (level < log.level.load(std::memory_order_relaxed)) return;
  Key key{};
  find_key(fields, key);
  std::shared_ptr<LogWriter> writer;
  bool json = false;
  {
    const std::lock_guard lock(log.mutex);
    const LogLimiter::Call call{level, event, key.name, key.text};
    if (log.limiter.admit(call, log.clock.now()) != Verdict::kAdmitted) {
      ++log.totals.suppressed;
      return;
    }
    ++log.totals.written;
    writer = log.writer;
    json = log.json;
  }
  std::string line = format_line({log.clock.wall(), level, event, fields}, json);
  if (emit(writer.get(), std::move(line), LogWriter::Kind::kCall)) return;
  const std::lock_guard lock(log.mutex);
  --log.totals.written;
  ++log.totals.dropped;
}

Totals totals() {
  Log& log = process_log();
  const std::lock_guard lock(log.mutex);
  Totals totals = log.totals;
  const uint64_t failed = log.failed_before + (log.writer ? log.writer->failed() : 0);
  totals.written -= failed;
  totals.dropped += failed;
  return totals;
}

}  // namespace base::log
