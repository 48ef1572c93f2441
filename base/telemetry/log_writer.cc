#include "base/telemetry/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace base::log {

struct LogWriter::State {
  struct Item {
    std::string line;
    Kind kind;
  };

  // Constant after open().
  Target to = Target::kStderr;
  std::string file;
  std::string journal;
  uint64_t max_bytes = 0;
  uint32_t files = 0;
  std::function<Duration()> tick;

  // Owned by the thread once it runs.
  int fd = STDERR_FILENO;
  uint64_t size = 0;
  bool torn = false;  // the last write ended within a line
  const SystemClock clock{};
  Instant next_tick{};

  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  std::deque<Item> queue;
  std::optional<Kind> in_hand;  // of the line that is being written, unless it is counted already
  bool hurried = false;
  bool reopening = false;
  bool closing = false;    // no more lines come; write what is queued
  bool abandoned = false;  // write no more
  bool ended = false;      // the thread has written all it will

  // Changed under mutex.
  std::atomic<uint64_t> written{0}, failed{0};

  ~State() {
    if (fd >= 0 && fd != STDERR_FILENO) ::close(fd);
  }
  Result<> open_file();
  Result<> open_journal();
  void open_again();
  void rotate();
  bool has_room() const;
  bool write_all(std::string_view text);
  bool send(std::string_view entry);
  bool write_item(const Item& item);
  void count(Kind kind, bool is_written);
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

Result<> LogWriter::State::open_journal() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(journal.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, journal.data(), journal.size());
  fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto* const at = reinterpret_cast<const sockaddr*>(&address);
  if (fd < 0 || ::connect(fd, at, sizeof address) != 0) {
    const int number = errno;
    if (fd >= 0) ::close(fd);
    fd = -1;
    return Error(ErrorCode::kUnavailable, "cannot reach the journal at " + journal + ": " +
                                              std::strerror(number) +
                                              "; is systemd-journald running? Else set log.to");
  }
  return Done{};
}

// A failure keeps what is open.
void LogWriter::State::open_again() {
  const int old = fd;
  if (to == Target::kJournal ? open_journal() : open_file()) {
    if (old >= 0) ::close(old);
    torn = false;
  } else {
    fd = old;
  }
}

// A failure keeps the present file; the next line tries again.
void LogWriter::State::rotate() {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    size = 0;
    return;
  }
  // Moved by somebody else, or by us when opening it anew failed: there is nothing to shift.
  struct stat named {};
  if (::stat(file.c_str(), &named) != 0 || named.st_dev != info.st_dev ||
      named.st_ino != info.st_ino) {
    open_again();
    return;
  }
  const auto kept = [this](uint32_t n) { return file + "." + std::to_string(n); };
  for (uint32_t n = files; n > 1; --n) std::rename(kept(n - 1).c_str(), kept(n).c_str());
  const int moved =
      files == 0 ? ::unlink(file.c_str()) : std::rename(file.c_str(), kept(1).c_str());
  if (moved == 0) open_again();
}

// Waits a little for it. A write of a line then returns at once: a pipe that polls as writable
// takes a page.
bool LogWriter::State::has_room() const {
  pollfd poll{fd, POLLOUT, 0};
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next_tick - clock.now());
  const auto ms = std::clamp<int64_t>(wait.count(), 1, 100);
  return fd < 0 || ::poll(&poll, 1, static_cast<int>(ms)) != 0;
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

// A journal that has been restarted has another socket.
bool LogWriter::State::send(std::string_view entry) {
  for (int tries = 0; tries < 2; ++tries) {
    if (fd >= 0 && ::send(fd, entry.data(), entry.size(), MSG_NOSIGNAL) >= 0) return true;
    if (fd >= 0 && errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET) return false;
    open_again();
  }
  return false;
}

// Under mutex.
void LogWriter::State::count(Kind kind, bool is_written) {
  if (kind == Kind::kCall) (is_written ? written : failed).fetch_add(1, std::memory_order_relaxed);
}

bool LogWriter::State::write_item(const Item& item) {
  if (to == Target::kJournal) return send(item.line);
  if (to == Target::kFile && size + item.line.size() > max_bytes && size > 0) rotate();
  return (!torn || write_all("\n")) && write_all(item.line);
}

void LogWriter::State::run() {
  std::unique_lock lock(mutex);
  while (!abandoned && (!queue.empty() || !closing)) {
    if (queue.empty()) {
      const auto at_most = std::max(Duration(0), next_tick - clock.now());
      changed.wait_for(lock, at_most,
                       [&] { return !queue.empty() || closing || hurried || reopening; });
    }
    const bool due = std::exchange(hurried, false) || clock.now() >= next_tick;
    const bool renew = std::exchange(reopening, false) && to == Target::kFile;
    const bool has_line = !queue.empty();
    lock.unlock();
    // At once, not with the next line: whoever renamed the file waits for it to be let go.
    if (renew) open_again();
    if (due) next_tick = clock.now() + (tick ? tick() : Duration(1s));
    const bool room = has_line && has_room();
    lock.lock();
    if (!room || abandoned || queue.empty()) continue;
    const Item item = std::move(queue.front());
    queue.pop_front();
    in_hand = item.kind;
    lock.unlock();
    const bool is_written = write_item(item);
    lock.lock();
    if (in_hand) count(*std::exchange(in_hand, std::nullopt), is_written);
  }
  ended = true;
  changed.notify_all();
}

bool leads_to_journal(int fd, const char* journal_stream) {
  unsigned long long device = 0, inode = 0;
  if (journal_stream == nullptr) return false;
  if (std::sscanf(journal_stream, "%llu:%llu", &device, &inode) != 2) return false;
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

Result<std::unique_ptr<LogWriter>> LogWriter::open(const Options& options,
                                                   std::function<Duration()> tick,
                                                   const std::string& journal) {
  auto state = std::make_shared<State>();
  state->to = options.to;
  if (options.to == Target::kAuto) {
    const bool journaled = leads_to_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
    state->to = !options.file.empty() ? Target::kFile
                : journaled           ? Target::kJournal
                                      : Target::kStderr;
  }
  state->file = options.file;
  state->journal = journal;
  state->max_bytes = options.max_bytes;
  state->files = options.files;
  state->tick = std::move(tick);
  Result<> opened = Done{};
  if (state->to == Target::kFile) opened = state->open_file();
  if (state->to == Target::kJournal) opened = state->open_journal();
  if (!opened && state->to == Target::kJournal && options.to == Target::kAuto) {
    state->to = Target::kStderr;  // which leads there as well, as plain lines
    state->fd = STDERR_FILENO;
    opened = Done{};
  }
  if (!opened) return opened.error();
  // Signals are for the threads that handle them.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  std::optional<Error> refused;
  try {
    std::thread([state] { state->run(); }).detach();
  } catch (const std::system_error& error) {
    refused =
        Error(ErrorCode::kExhausted, std::string("cannot start the log's thread: ") + error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (refused) return *refused;
  return std::unique_ptr<LogWriter>(new LogWriter(std::move(state)));
}

LogWriter::~LogWriter() {
  stop(0s);
}

bool LogWriter::to_journal() const {
  return state_->to == Target::kJournal;
}

bool LogWriter::push(std::string line, Kind kind) {
  {
    const std::lock_guard lock(state_->mutex);
    // What the writer's own thread has summed up is said to the end.
    const bool closed = state_->closing && kind == Kind::kCall;
    if (closed || state_->queue.size() >= kQueueLines) return false;
    state_->queue.push_back({std::move(line), kind});
  }
  state_->changed.notify_all();
  return true;
}

void LogWriter::hurry() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->hurried = true;
  }
  state_->changed.notify_all();
}

void LogWriter::reopen() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->reopening = true;
  }
  state_->changed.notify_all();
}

void LogWriter::stop(Duration at_most) {
  std::unique_lock lock(state_->mutex);
  state_->closing = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, at_most, [&] { return state_->ended; });
  state_->abandoned = true;
  for (const State::Item& item : state_->queue) state_->count(item.kind, false);
  state_->queue.clear();
  // It may get there yet; nobody will know.
  if (state_->in_hand) state_->count(*std::exchange(state_->in_hand, std::nullopt), false);
}

uint64_t LogWriter::written() const {
  return state_->written.load(std::memory_order_relaxed);
}

uint64_t LogWriter::failed() const {
  return state_->failed.load(std::memory_order_relaxed);
}

}  // namespace base::log
