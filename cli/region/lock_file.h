// Lock files: which process is whose. A program of a region takes its own lock at its start and
// holds it until it ends, however it ends; its pid stands inside. So who runs is a question to the
// kernel, never to a pid file that outlived its process.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"

namespace cli {

// Thread: any. Owner: main. Invariant: holds the lock until destruction.
class LockFile {
 public:
  // kConflict names the process that holds it.
  static base::Result<LockFile> acquire(const std::string& path);

 private:
  explicit LockFile(base::net::UniqueFd fd) : fd_(std::move(fd)) {}
  base::net::UniqueFd fd_;
};

// The pid inside if somebody holds the lock.
std::optional<pid_t> lock_holder(const std::string& path);

struct HeldLock {
  std::string name;  // "amber-proxy-1" for amber-proxy-1.lock
  pid_t pid = 0;
};
// Every held *.lock of a folder, in order of names.
std::vector<HeldLock> held_locks(const std::string& folder);

}  // namespace cli
