// The operating system's side of the provider: a process that carries its own lock, and pidfds.
//
// spawn_child() forks and execs with exactly one inherited descriptor beside stdin, stdout and stderr: the
// lock. The child writes its pid and token under the lock before exec, so whoever finds the lock held
// finds the right pid, and an agent killed in between leaves nothing half done. The child knows the
// descriptor's number by MCGUARD_LOCK_FD: a proxy hands it on to its successor, which starts without.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"

namespace agent::action {

struct ChildPlan {
  std::vector<std::string> argv;  // argv[0]: path of the program
  std::string log_file;           // stdout and stderr are appended to it
  std::string lock_file;  // empty: it will get lock and token from the process that it succeeds
  std::string token_file;
  std::string token;
};

// Starts the process in a session of its own. kExists: the lock is held, the id runs already.
// kNotFound, kPermission, kIo name the file and the remedy.
base::Result<pid_t> spawn_child(const ChildPlan& plan);

// Who holds the lock: nullopt when nobody does; 0 when the holder has not written its pid yet.
base::Result<std::optional<pid_t>> lock_holder(const std::string& lock_file);

// kNotFound: no such process.
base::Result<base::net::UniqueFd> open_pidfd(pid_t pid);
base::Result<> send_signal(const base::net::UniqueFd& pidfd, int signal_number);
// Collects a child that has ended: "exit status 1", "killed by signal 9"; "ended" when it is not ours.
std::string reap(const base::net::UniqueFd& pidfd);
// Arguments of a running process; empty when it has ended.
std::vector<std::string> command_line(pid_t pid);

}  // namespace agent::action
