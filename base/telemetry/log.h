// Logging that cannot flood: events with key=value fields, admitted before they are formatted.
//
//   log::warn("backend_down", {{"backend", id}, {"error", error}});
//
// The event name is a literal and is the call's identity for the limiter; `backend`, `proxy`,
// `cache` or `client` among the fields is the key within it. Per (event, key): the first at once,
// then a token bucket (burst 5, 1 per second); per event 64, 10 per second; per process at most 100
// lines in any second, the last 20 of which are for events that have been silent. What is suppressed
// is counted and summarised when the burst ends, or every 10 s: how often, how long, how many keys,
// the first and the last ("suppressed=4812332 seconds=30.0 backends=12 first=… last=…").
// A line is at most 1,024 bytes; a field value at most 200, printable. There is no way to log a
// container: fields are strings, numbers, and things with to_string(), which is called only for
// lines that are written. Never pass keys, values, requests or secrets.
//
// Cost of a call that is not written: about a nanosecond, a few with a key (log_gate.h). It
// takes no lock, allocates nothing and formats nothing.
//
// Thread: any. A line is written by one background thread from a bounded queue (1,024 lines): a
// full disk or a stuck terminal drops and counts, and never blocks the caller.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/core/result.h"
#include "base/telemetry/log_gate.h"

namespace base::log {

std::string_view to_string(Level level);  // "debug", "info", "warn", "error"

template <class T>
concept Describable = requires(const T& object) {
  { object.to_string() } -> std::convertible_to<std::string>;
};

// A name and a value, neither of which is copied: for use within one expression. Plain members, no
// union, so that a compiler can keep the parts of one that is not used from being made at all.
struct Field {
  enum class Kind : uint8_t { kText, kInteger, kReal, kObject };

  std::string_view key;
  Kind kind;
  const void* pointer = nullptr;                          // of a text or an object
  uint64_t number = 0;                                    // a text's size, or the bits of a number
  std::string (*describe)(const void* object) = nullptr;  // of an object

  Field(std::string_view k, std::string_view v)
      : key(k), kind(Kind::kText), pointer(v.data()), number(v.size()) {}
  Field(std::string_view k, const char* v) : Field(k, std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : Field(k, std::string_view(v)) {}
  template <std::floating_point Real>
  Field(std::string_view k, Real v)
      : key(k), kind(Kind::kReal), number(std::bit_cast<uint64_t>(static_cast<double>(v))) {}
  template <std::integral Integer>
  Field(std::string_view k, Integer v)
      : key(k), kind(Kind::kInteger), number(static_cast<uint64_t>(v)) {}
  template <Describable Object>
  Field(std::string_view k, const Object& v)
      : key(k), kind(Kind::kObject), pointer(&v), describe([](const void* object) {
          return std::string(static_cast<const Object*>(object)->to_string());
        }) {}

  std::string_view text() const { return {static_cast<const char*>(pointer), number}; }
  int64_t integer() const { return static_cast<int64_t>(number); }
  double real() const { return std::bit_cast<double>(number); }
  [[gnu::always_inline]] bool is_key() const {
    return (kind == Kind::kText || kind == Kind::kInteger) &&
           (is("backend") || is("proxy") || is("cache") || is("client"));
  }

 private:
  // Not operator==, which the compiler does not always inline and then cannot know the answer.
  template <size_t N>
  [[gnu::always_inline]] bool is(const char (&name)[N]) const {
    return key.size() == N - 1 && std::memcmp(key.data(), name, N - 1) == 0;
  }
};

// A view of some fields.
class Fields {
 public:
  Fields() = default;
  Fields(const Field* data, size_t size) : data_(data), size_(size) {}
  const Field* begin() const { return data_; }
  const Field* end() const { return data_ + size_; }

 private:
  const Field* data_ = nullptr;
  size_t size_ = 0;
};

enum class Target {
  kAuto,  // `file` if it is set; the journal if stderr leads there; else stderr
  kStderr,
  kFile,
  kJournal,  // systemd's, by its native protocol, with each field a field
};

struct Options {
  Level level = Level::kInfo;
  Target to = Target::kAuto;
  std::string file;
  uint64_t max_bytes = 64u << 20;  // of a file before it is rotated
  uint32_t files = 4;              // kept beside it, FILE.1 (the newest) to FILE.4
  bool json = false;               // one JSON object a line; otherwise logfmt. Not for the journal
};
// Once, from main, before any thread starts. Without it (and after stop) lines go to stderr as
// logfmt, in the caller's thread. kPermission or kIo if the file cannot be opened, kUnavailable if
// there is no journal, kExhausted if there is no thread.
Result<> start(const Options& options);
// From here on lines below `level` are not written. Any thread, at any time.
void set_level(Level level);
// Opens the file anew under its name, at once, and lets the old one go: whoever rotates it has
// renamed that.
void reopen();
void stop();  // says what was suppressed, then flushes for at most 1 s

// Totals of the process: written + suppressed + dropped + queued == calls at or above the level.
// `queued` are on their way, at most 1,024; the others never fall. Summaries do not count.
struct Totals {
  uint64_t written = 0, suppressed = 0, dropped = 0, queued = 0;
};
Totals totals();

// What is behind the gate: asks the limiter, formats, queues.
[[gnu::cold]] void submit(Site& site, Level level, const char* event, Fields fields);

[[gnu::always_inline]] inline bool counts_as_suppressed(const Site& site, const Field& key) {
  return key.kind == Field::Kind::kInteger ? counts_as_suppressed(site, key.integer())
                                           : counts_as_suppressed(site, key.text());
}

// The gate of one call; `Here` is a type of its own at every place that calls without naming it.
// Written so that the compiler sees through it: which field is the key is known when it compiles, and
// the others are made only on the way to submit(). For that no pointer to them may get out, hence
// the copies.
template <class Here, size_t... I>
[[gnu::always_inline]] inline void at(Level level, const char* event,
                                      const Field (&fields)[sizeof...(I)],
                                      std::index_sequence<I...> /*unused*/) {
  static constinit Site site;
  if (level < gate_words.level.load(std::memory_order_relaxed)) return;
  bool has_key = false, suppressed = false;
  const auto look_at = [&](const Field& field) __attribute__((always_inline)) {
    if (has_key || !field.is_key()) return;
    has_key = true;
    suppressed = counts_as_suppressed(site, field);
  };
  (look_at(fields[I]), ...);
  if (has_key ? suppressed : counts_as_suppressed(site)) return;
  const Field copies[] = {fields[I]...};
  submit(site, level, event, Fields(copies, sizeof...(I)));
}
template <class Here>
[[gnu::always_inline]] inline void at(Level level, const char* event) {
  static constinit Site site;
  if (level < gate_words.level.load(std::memory_order_relaxed)) return;
  if (!counts_as_suppressed(site)) submit(site, level, event, {});
}

template <class Here = decltype([] {}), size_t M, size_t N>
[[gnu::always_inline]] inline void debug(const char (&event)[M], const Field (&fields)[N]) {
  at<Here>(Level::kDebug, event, fields, std::make_index_sequence<N>());
}
template <class Here = decltype([] {}), size_t M>
[[gnu::always_inline]] inline void debug(const char (&event)[M]) {
  at<Here>(Level::kDebug, event);
}
template <class Here = decltype([] {}), size_t M, size_t N>
[[gnu::always_inline]] inline void info(const char (&event)[M], const Field (&fields)[N]) {
  at<Here>(Level::kInfo, event, fields, std::make_index_sequence<N>());
}
template <class Here = decltype([] {}), size_t M>
[[gnu::always_inline]] inline void info(const char (&event)[M]) {
  at<Here>(Level::kInfo, event);
}
template <class Here = decltype([] {}), size_t M, size_t N>
[[gnu::always_inline]] inline void warn(const char (&event)[M], const Field (&fields)[N]) {
  at<Here>(Level::kWarn, event, fields, std::make_index_sequence<N>());
}
template <class Here = decltype([] {}), size_t M>
[[gnu::always_inline]] inline void warn(const char (&event)[M]) {
  at<Here>(Level::kWarn, event);
}
template <class Here = decltype([] {}), size_t M, size_t N>
[[gnu::always_inline]] inline void error(const char (&event)[M], const Field (&fields)[N]) {
  at<Here>(Level::kError, event, fields, std::make_index_sequence<N>());
}
template <class Here = decltype([] {}), size_t M>
[[gnu::always_inline]] inline void error(const char (&event)[M]) {
  at<Here>(Level::kError, event);
}

}  // namespace base::log
