#include "cli/region/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace cli {
namespace {

using base::Error;
using base::ErrorCode;

std::optional<pid_t> read_pid(int fd) {
  char text[32];
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  pid_t pid = 0;
  if (count <= 0) return std::nullopt;
  const auto parsed = std::from_chars(text, text + count, pid);
  if (parsed.ec != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

}  // namespace

base::Result<LockFile> LockFile::acquire(const std::string& path) {
  base::net::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    const ErrorCode code = errno == EACCES ? ErrorCode::kPermission : ErrorCode::kIo;
    return Error(code, "cannot open " + path + ": " + strerror(errno));
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const auto holder = read_pid(fd.get());
    return Error(ErrorCode::kConflict,
                 path + " is held by process " + (holder ? std::to_string(*holder) : "(unknown)"));
  }
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return Error(ErrorCode::kIo, "cannot write " + path + ": " + strerror(errno) +
                                     "; free some space on that disk");
  }
  return LockFile(std::move(fd));
}

std::optional<pid_t> lock_holder(const std::string& path) {
  const base::net::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return std::nullopt;
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return read_pid(fd.get());
}

std::vector<HeldLock> held_locks(const std::string& folder) {
  std::vector<HeldLock> held;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().extension() != ".lock") continue;
    if (const auto pid = lock_holder(entry.path().string())) {
      held.push_back({entry.path().stem().string(), *pid});
    }
  }
  std::sort(held.begin(), held.end(),
            [](const HeldLock& a, const HeldLock& b) { return a.name < b.name; });
  return held;
}

}  // namespace cli
