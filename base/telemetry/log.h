// Logging that cannot flood: events with key=value fields, admitted before they are formatted.
//
//   log::warn("backend_down", {{"backend", id}, {"error", error.context}});
//
// The event name is a literal and is the call site's identity for the limiter; `backend`, `proxy`,
// `cache` or `client` among the fields is the key within it. Per (event, key): the first at once,
// then token bucket (burst 5, 1 per second); per process at most 100 lines per second. What is
// suppressed is counted and summarised when the burst ends or every 10 s ("suppressed=4812332").
// A line is at most 1,024 bytes; a field value at most 200, printable. There is no way to log a
// container: fields are strings and numbers. Never pass keys, values, requests or secrets.
//
// Thread: any. A line is written by one background thread from a bounded queue (1,024 lines): a
// full disk or a stuck terminal drops and counts, and never blocks the caller.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/core/result.h"

namespace base::log {

enum class Level { kDebug, kInfo, kWarn, kError };
std::string_view to_string(Level level);  // "debug", "info", "warn", "error"

struct Field {
  std::string_view key;
  std::variant<std::string_view, int64_t, double> value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <class Integer>
  requires std::is_integral_v<Integer> Field(std::string_view k, Integer v)
      : key(k), value(static_cast<int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

struct Options {
  Level level = Level::kInfo;
  std::string file;                // empty: stderr
  uint64_t max_bytes = 64u << 20;  // rotate once (file -> file.1) beyond this
  bool json = false;               // one JSON object a line; otherwise logfmt
};
// Once, from main, before any thread starts. Without it (and after stop) lines go to stderr as
// logfmt, in the caller's thread. kPermission or kIo if the file cannot be opened.
Result<> start(const Options& options);
// From here on lines below `level` are not written. Any thread, at any time.
void set_level(Level level);
void stop();  // says what was suppressed, then flushes for at most 1 s

void write(Level level, const char* event, Fields fields = {});
inline void debug(const char* event, Fields fields = {}) {
  write(Level::kDebug, event, fields);
}
inline void info(const char* event, Fields fields = {}) {
  write(Level::kInfo, event, fields);
}
inline void warn(const char* event, Fields fields = {}) {
  write(Level::kWarn, event, fields);
}
inline void error(const char* event, Fields fields = {}) {
  write(Level::kError, event, fields);
}

// Totals of the process: written + suppressed + dropped == calls at or above the level. A line
// counts as written once it is queued, and as dropped instead when writing it fails. Summaries do
// not count.
struct Totals {
  uint64_t written = 0, suppressed = 0, dropped = 0;
};
Totals totals();

}  // namespace base::log
