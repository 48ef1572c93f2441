#include "agent/action/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/core/file.h"
#include "base/core/text.h"

// glibc 2.36 has wrappers with other names; the numbers are the kernel's.
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace agent::action {
namespace {

using base::net::UniqueFd;

constexpr rlim_t kOpenFiles = 1u << 20;

base::Error file_error(const std::string& path, int number) {
  const auto code = number == EACCES || number == EPERM ? base::ErrorCode::kPermission
                    : number == ENOENT                  ? base::ErrorCode::kNotFound
                                                        : base::ErrorCode::kIo;
  return base::Error(code, path + ": " + std::strerror(number));
}

base::Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd.valid()) return file_error(path, errno);
  return fd;
}

// Everything below until exec runs between fork and exec, where only async-signal-safe calls are
// allowed: another thread may have held any lock at the time of the fork.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> environment;
  int lock = -1;
  int token = -1;
  int log = -1;
  int null = -1;
  int report = -1;  // closed by a successful exec
  const char* token_text = nullptr;
  size_t token_size = 0;
  rlim_t open_files = 0;
};

size_t write_number(char* out, long number) {
  char digits[24];
  size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  for (size_t i = 0; i < count; ++i) out[i] = digits[count - 1 - i];
  out[count] = '\n';
  return count + 1;
}

bool rewrite(int fd, const char* text, size_t size) {
  return ::ftruncate(fd, 0) == 0 && ::pwrite(fd, text, size, 0) == static_cast<ssize_t>(size);
}

[[noreturn]] void fail(const Prepared& prepared) {
  const int number = errno;
  const ssize_t ignored = ::write(prepared.report, &number, sizeof number);
  static_cast<void>(ignored);
  ::_exit(127);
}

[[noreturn]] void become(const Prepared& prepared) {
  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = std::min(limit.rlim_max, prepared.open_files);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (::dup2(prepared.null, 0) < 0 || ::dup2(prepared.log, 1) < 0 || ::dup2(prepared.log, 2) < 0) {
    fail(prepared);
  }
  char pid[24];
  const size_t size = write_number(pid, ::getpid());
  const bool locked = prepared.lock >= 0;
  if (locked && !rewrite(prepared.token, prepared.token_text, prepared.token_size)) fail(prepared);
  if (locked && !rewrite(prepared.lock, pid, size)) fail(prepared);
  // All descriptors close at exec, whoever opened them and however, but for the lock.
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  if (locked && ::fcntl(prepared.lock, F_SETFD, 0) != 0) fail(prepared);
  ::execve(prepared.argv[0], prepared.argv.data(), prepared.environment.data());
  fail(prepared);
}

base::Result<UniqueFd> take_lock(const std::string& path) {
  auto lock = open_file(path, O_RDWR | O_CREAT);
  if (!lock.ok()) return lock;
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return file_error(path, errno);
  return base::Error(base::ErrorCode::kExists, path + " is held: it runs already");
}

// Ours, and where the lock is.
std::vector<std::string> environment_with(int lock) {
  const std::string name = "MCGUARD_LOCK_FD=";
  std::vector<std::string> all;
  for (char** each = ::environ; *each != nullptr; ++each) {
    if (std::string_view(*each).substr(0, name.size()) != name) all.emplace_back(*each);
  }
  if (lock >= 0) all.push_back(name + std::to_string(lock));
  return all;
}

}  // namespace

base::Result<pid_t> spawn_child(const ChildPlan& plan) {
  base::Result<UniqueFd> lock = UniqueFd();
  base::Result<UniqueFd> token = UniqueFd();
  if (!plan.lock_file.empty()) {
    lock = take_lock(plan.lock_file);
    if (!lock.ok()) return lock.error();
    token = open_file(plan.token_file, O_RDWR | O_CREAT);
    if (!token.ok()) return token.error();
  }
  auto log = open_file(plan.log_file, O_WRONLY | O_CREAT | O_APPEND);
  if (!log.ok()) return log.error();
  auto null = open_file("/dev/null", O_RDONLY);
  if (!null.ok()) return null.error();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return file_error("a pipe", errno);
  UniqueFd listen(ends[0]);
  UniqueFd report(ends[1]);
  Prepared prepared;
  for (const std::string& each : plan.argv)
    prepared.argv.push_back(const_cast<char*>(each.c_str()));
  prepared.argv.push_back(nullptr);
  std::vector<std::string> environment = environment_with(lock->get());
  for (std::string& each : environment) prepared.environment.push_back(each.data());
  prepared.environment.push_back(nullptr);
  prepared.lock = lock->get();
  prepared.token = token->get();
  prepared.log = log->get();
  prepared.null = null->get();
  prepared.report = report.get();
  prepared.token_text = plan.token.c_str();
  prepared.token_size = plan.token.size();
  prepared.open_files = kOpenFiles;
  const pid_t pid = ::fork();
  if (pid < 0) return file_error("fork for " + plan.argv[0], errno);
  if (pid == 0) become(prepared);
  report.reset();
  int number = 0;
  ssize_t got = 0;
  do {
    got = ::read(listen.get(), &number, sizeof number);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof number) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return file_error(plan.argv[0], number);
}

base::Result<std::optional<pid_t>> lock_holder(const std::string& lock_file) {
  UniqueFd lock(::open(lock_file.c_str(), O_RDWR | O_CLOEXEC));
  if (!lock.valid()) {
    if (errno == ENOENT) return std::optional<pid_t>();
    return file_error(lock_file, errno);
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return std::optional<pid_t>();
  if (errno != EWOULDBLOCK) return file_error(lock_file, errno);
  char text[32] = {};
  const ssize_t size = ::pread(lock.get(), text, sizeof text - 1, 0);
  if (size < 0) return file_error(lock_file, errno);
  std::string_view digits(text, static_cast<size_t>(size));
  while (!digits.empty() && digits.back() == '\n') digits.remove_suffix(1);
  return std::optional<pid_t>(static_cast<pid_t>(base::parse_u64(digits).value_or(0)));
}

base::Result<UniqueFd> open_pidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.valid()) {
    const auto code = errno == ESRCH ? base::ErrorCode::kNotFound : base::ErrorCode::kIo;
    return base::Error(code, "process " + std::to_string(pid) + ": " + std::strerror(errno));
  }
  return fd;
}

base::Result<> send_signal(const UniqueFd& pidfd, int signal_number) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal_number, nullptr, 0) == 0 ||
      errno == ESRCH) {
    return base::Done{};
  }
  const auto code = errno == EPERM ? base::ErrorCode::kPermission : base::ErrorCode::kIo;
  return base::Error(code, std::string("signal: ") + std::strerror(errno));
}

std::string reap(const UniqueFd& pidfd) {
  siginfo_t info{};
  const auto by_pidfd = static_cast<idtype_t>(P_PIDFD);
  if (::waitid(by_pidfd, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0) {
    return "ended";
  }
  if (info.si_code == CLD_EXITED) return "exit status " + std::to_string(info.si_status);
  return "killed by signal " + std::to_string(info.si_status);
}

std::vector<std::string> command_line(pid_t pid) {
  auto text = base::read_file("/proc/" + std::to_string(pid) + "/cmdline", 1u << 20);
  std::vector<std::string> arguments;
  if (!text.ok()) return arguments;
  size_t from = 0;
  while (from < text->size()) {
    const size_t end = std::min(text->find('\0', from), text->size());
    arguments.push_back(text->substr(from, end - from));
    from = end + 1;
  }
  return arguments;
}

}  // namespace agent::action
