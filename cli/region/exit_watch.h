// Starting programs and learning how they end, children or not.
//
// `mcguard up` is the reaper of everything below it (PR_SET_CHILD_SUBREAPER): proxies whose agent
// was killed become its children. So all zombies are reaped in one place, and the statuses of the
// processes that somebody waits for are kept until they ask. A process adopted from another
// supervisor is nobody's child here: its pidfd tells when it ends, not how.
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"

namespace cli {

struct Command {
  std::vector<std::string> words;  // the program's path first
  std::string log;                 // its stdout and stderr are appended there
};
// In a session of its own, so that Ctrl-C at the terminal reaches the supervisor alone.
base::Result<pid_t> start_program(const Command& command);

// "exited with status 1", "was killed by signal 9", "has ended" without a status.
std::string describe_exit(std::optional<int> status);

// Sends `signal` to the process that holds the lock at `path`; false when nobody holds it. Goes by
// pidfd, so that a pid that was given to another process in between is never hit.
bool signal_holder(const std::string& path, int signal);

// Thread: the executor's. Owner: the supervisor. Call reap() on every SIGCHLD.
class ExitWatch {
 public:
  explicit ExitWatch(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  // Returns when `pid` has ended, with its wait status if it was a child.
  boost::asio::awaitable<std::optional<int>> wait(pid_t pid);
  void reap();

 private:
  boost::asio::any_io_executor executor_;
  std::map<pid_t, std::optional<int>> awaited_;
};

}  // namespace cli
