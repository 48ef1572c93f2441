#include "cli/page/safe_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/net/fd.h"

namespace cli {
namespace {

constexpr off_t kMaxFile = 16 << 20;

// True when all of the file was read.
bool read_whole(int fd, off_t size, std::string& content) {
  content.resize(static_cast<size_t>(size));
  size_t have = 0;
  while (have < content.size()) {
    const ssize_t count = ::read(fd, content.data() + have, content.size() - have);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    have += static_cast<size_t>(count);
  }
  return true;
}

OpenedFile read_opened(int fd) {
  OpenedFile opened;
  struct stat found {};
  if (::fstat(fd, &found) != 0) return opened;
  if (S_ISDIR(found.st_mode)) opened.kind = OpenedKind::kFolder;
  if (!S_ISREG(found.st_mode) || found.st_size > kMaxFile) return opened;
  if (read_whole(fd, found.st_size, opened.content)) opened.kind = OpenedKind::kFile;
  return opened;
}

}  // namespace

OpenedFile read_beneath(const std::string& folder, std::string_view path) {
  base::net::UniqueFd at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (at.valid() && !path.empty()) {
    const size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (name.empty()) continue;
    if (name.front() == '.') return {};  // "..", and what is hidden
    // Non-blocking: opening a pipe that somebody put there must not hang.
    at.reset(::openat(at.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  }
  if (!at.valid()) return {};
  return read_opened(at.get());
}

}  // namespace cli
