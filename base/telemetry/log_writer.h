// The background end of the log: one thread that writes lines from a bounded queue to a file, to
// stderr or to the journal, so that a full disk or a stuck terminal costs lines, never the
// caller's time.
//
// It writes only where poll() says that there is room, so that a reader that has stopped does not keep
// it from its tick. Should a write never return all the same (a dead network file system), stop()
// leaves the thread behind and the process can still end: the thread owns what it needs together
// with us. A file is rotated beyond max_bytes: FILE -> FILE.1 -> FILE.2 … up to FILE.<files>.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/core/result.h"
#include "base/telemetry/log.h"
#include "base/time/clock.h"

namespace base::log {

// Whether stderr of this process leads to the journal: the device and inode in JOURNAL_STREAM are
// its. Pure but for fstat(); `journal_stream` may be null.
bool leads_to_journal(int fd, const char* journal_stream);

// Thread: any. Owner: log.cc.
class LogWriter {
 public:
  static constexpr size_t kQueueLines = 1024;

  enum class Kind { kCall, kSummary };

  // Uses where the lines go, not what they look like. `tick` runs on the writer's thread, at first
  // at once and then whenever the time that it returned has passed. kExhausted: no thread is to be had.
  static Result<std::unique_ptr<LogWriter>> open(
      const Options& options, std::function<Duration()> tick,
      const std::string& journal = "/run/systemd/journal/socket");
  ~LogWriter();  // stop(0)
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  bool to_journal() const;
  // False: the queue is full or closed, and the line is gone.
  bool push(std::string line, Kind kind);
  // The next tick is due at once.
  void hurry();
  // Opens the file anew, soon and on the writer's thread.
  void reopen();
  // Writes what is queued, for at most `at_most`; what is left then counts as failed, the line that
  // is being written too. The counts are final.
  void stop(Duration at_most);
  // Lines of kind kCall that push() took: each is written, or failed, or still on its way. Neither
  // ever falls.
  uint64_t written() const;
  uint64_t failed() const;

 private:
  struct State;
  explicit LogWriter(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace base::log
