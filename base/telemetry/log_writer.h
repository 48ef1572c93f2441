// The background end of the log: one thread that writes lines from a bounded queue to a file or to
// stderr, so that a full disk or a stuck terminal costs lines, never the caller's time.
//
// The thread owns what it needs together with us: if a write never returns, stop() leaves the
// thread behind and the process can still end. A file is rotated once (FILE -> FILE.1) beyond
// max_bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/core/result.h"
#include "base/time/clock.h"

namespace base::log {

// Thread: any. Owner: log.cc.
class LogWriter {
 public:
  static constexpr size_t kQueueLines = 1024;

  enum class Kind { kCall, kSummary };

  // `file` empty: stderr. `tick` runs on the writer's thread about once a second.
  static Result<std::unique_ptr<LogWriter>> open(const std::string& file, uint64_t max_bytes,
                                                 std::function<void()> tick);
  ~LogWriter();  // stop(0)
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // False: the queue is full or closed, and the line is gone.
  bool push(std::string line, Kind kind);
  // Writes what is queued, for at most `at_most`; what is left then counts as failed.
  void stop(Duration at_most);
  // Lines of kind kCall that push() took and that were not written after all.
  uint64_t failed() const;

 private:
  struct State;
  explicit LogWriter(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace base::log
