#include "base/telemetry/log_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace base::log {

struct LogWriter::State {
  struct Item {
    std::string line;
    Kind kind;
  };

  // Constant after open().
  std::string file;
  uint64_t max_bytes = 0;
  std::function<void()> tick;

  // Owned by the thread once it runs.
  int fd = STDERR_FILENO;
  uint64_t size = 0;
  bool torn = false;  // the last write ended within a line

  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  std::deque<Item> queue;
  bool closing = false;  // no more lines come; write what is queued
  bool ended = false;    // the thread has written all it will

  std::atomic<uint64_t> failed{0};

  ~State() {
    if (fd >= 0 && fd != STDERR_FILENO) ::close(fd);
  }
  Result<> open_file();
  void rotate();
  bool write_all(std::string_view text);
  void write_item(const Item& item);
  void run();
};

Result<> LogWriter::State::open_file() {
  fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
  if (fd < 0) {
    const int number = errno;
    const bool forbidden = number == EACCES || number == EPERM || number == EROFS;
    return Error(forbidden ? ErrorCode::kPermission : ErrorCode::kIo,
                 "cannot write log file " + file + ": " + std::strerror(number) +
                     "; set log.file to a place this user may write");
  }
  struct stat info {};
  size = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
  return Done{};
}

// A failure keeps the present file; the next line tries again.
void LogWriter::State::rotate() {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    size = 0;
    return;
  }
  if (::rename(file.c_str(), (file + ".1").c_str()) != 0) return;
  const int old = fd;
  if (open_file()) {
    ::close(old);
  } else {
    fd = old;
  }
}

bool LogWriter::State::write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<size_t>(wrote));
    size += static_cast<uint64_t>(wrote);
    torn = !text.empty();
  }
  return true;
}

void LogWriter::State::write_item(const Item& item) {
  if (!file.empty() && size + item.line.size() > max_bytes && size > 0) rotate();
  const bool written = (!torn || write_all("\n")) && write_all(item.line);
  if (!written && item.kind == Kind::kCall) failed.fetch_add(1, std::memory_order_relaxed);
}

void LogWriter::State::run() {
  const SystemClock clock;
  Instant next_tick = clock.now() + 1s;
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait_for(lock, 1s, [&] { return !queue.empty() || closing; });
    if (queue.empty() && closing) break;
    std::optional<Item> item;
    if (!queue.empty()) {
      item = std::move(queue.front());
      queue.pop_front();
    }
    lock.unlock();
    if (item) write_item(*item);
    if (tick && clock.now() >= next_tick) {
      tick();
      next_tick = clock.now() + 1s;
    }
    lock.lock();
  }
  ended = true;
  changed.notify_all();
}

Result<std::unique_ptr<LogWriter>> LogWriter::open(const std::string& file, uint64_t max_bytes,
                                                   std::function<void()> tick) {
  auto state = std::make_shared<State>();
  state->file = file;
  state->max_bytes = max_bytes;
  state->tick = std::move(tick);
  if (!file.empty()) {
    const Result<> opened = state->open_file();
    if (!opened) return opened.error();
  }
  // Signals are for the threads that handle them.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread([state] { state->run(); }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return std::unique_ptr<LogWriter>(new LogWriter(std::move(state)));
}

LogWriter::~LogWriter() {
  stop(0s);
}

bool LogWriter::push(std::string line, Kind kind) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->closing || state_->queue.size() >= kQueueLines) return false;
    state_->queue.push_back({std::move(line), kind});
  }
  state_->changed.notify_all();
  return true;
}

void LogWriter::stop(Duration at_most) {
  std::unique_lock lock(state_->mutex);
  state_->closing = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, at_most, [&] { return state_->ended; });
  for (const State::Item& item : state_->queue) {
    if (item.kind == Kind::kCall) state_->failed.fetch_add(1, std::memory_order_relaxed);
  }
  state_->queue.clear();
}

uint64_t LogWriter::failed() const {
  return state_->failed.load(std::memory_order_relaxed);
}

}  // namespace base::log
