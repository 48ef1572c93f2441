#include "cli/region/exit_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/net/fd.h"
#include "cli/region/lock_file.h"

namespace cli {
namespace {

namespace asio = boost::asio;
using base::Error;
using base::ErrorCode;

// glibc 2.36 declares these without C linkage, so that C++ cannot link them.
int open_process(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}
int signal_process(int process, int number) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, process, number, nullptr, 0));
}

// What posix_spawn needs, destroyed together.
struct SpawnSettings {
  explicit SpawnSettings(const std::string& log) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::posix_spawn_file_actions_adddup2(&files, 1, 2);
    sigset_t none, reset;
    ::sigemptyset(&none);
    ::sigemptyset(&reset);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) {
      ::sigaddset(&reset, number);
    }
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &reset);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

}  // namespace

base::Result<pid_t> start_program(const Command& command) {
  std::vector<char*> words;
  for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  SpawnSettings settings(command.log);
  pid_t pid = 0;
  const int failure =
      ::posix_spawn(&pid, words[0], &settings.files, &settings.attributes, words.data(), environ);
  if (failure != 0) {
    return Error(ErrorCode::kIo, "cannot start " + command.words[0] + ": " + strerror(failure));
  }
  return pid;
}

std::string describe_exit(std::optional<int> status) {
  if (status && WIFEXITED(*status)) {
    return "exited with status " + std::to_string(WEXITSTATUS(*status));
  }
  if (status && WIFSIGNALED(*status)) {
    return "was killed by signal " + std::to_string(WTERMSIG(*status));
  }
  return "has ended";
}

bool signal_holder(const std::string& path, int signal) {
  const auto pid = lock_holder(path);
  if (!pid) return false;
  const base::net::UniqueFd process(open_process(*pid));
  if (!process.valid() || lock_holder(path) != pid) return false;
  return signal_process(process.get(), signal) == 0;
}

asio::awaitable<std::optional<int>> ExitWatch::wait(pid_t pid) {
  awaited_.emplace(pid, std::nullopt);
  const int fd = open_process(pid);
  if (fd >= 0) {
    asio::posix::stream_descriptor process(executor_, fd);
    boost::system::error_code failure;
    co_await process.async_wait(asio::posix::stream_descriptor::wait_read,
                                asio::redirect_error(asio::use_awaitable, failure));
    if (failure) {
      awaited_.erase(pid);
      throw boost::system::system_error(failure);
    }
  }
  reap();
  const std::optional<int> status = awaited_[pid];
  awaited_.erase(pid);
  co_return status;
}

void ExitWatch::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (const auto found = awaited_.find(pid); found != awaited_.end()) found->second = status;
  }
}

}  // namespace cli
