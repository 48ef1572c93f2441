#include "base/core/file.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace base {
namespace {

Error os_error(const std::string& what, const std::string& path, int number) {
  ErrorCode code = ErrorCode::kIo;
  if (number == ENOENT) code = ErrorCode::kNotFound;
  if (number == EACCES || number == EPERM || number == EROFS) code = ErrorCode::kPermission;
  std::string text = what + " " + path + ": " + std::strerror(number);
  if (number == ENOSPC) text += "; free some space and try again";
  if (code == ErrorCode::kPermission) {
    struct stat info {};
    std::string at = path;
    while (::stat(at.c_str(), &info) != 0 && at.find('/') != std::string::npos && at.size() > 1) {
      at.resize(at.rfind('/'));
      if (at.empty()) at = "/";
    }
    char name[256] = "?";
    passwd entry{};
    passwd* found = nullptr;
    char scratch[2048];
    if (::getpwuid_r(info.st_uid, &entry, scratch, sizeof scratch, &found) == 0 && found) {
      std::snprintf(name, sizeof name, "%s", entry.pw_name);
    }
    text += " (" + at + " belongs to " + name + "); use another directory or that user";
  }
  return Error(code, std::move(text));
}

struct Closer {
  int fd;
  ~Closer() {
    if (fd >= 0) ::close(fd);
  }
};

Result<> sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : path.substr(0, slash);
  Closer dir{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.fd < 0) return os_error("cannot open", directory, errno);
  if (::fsync(dir.fd) != 0) return os_error("cannot sync", directory, errno);
  return Done{};
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t max_bytes) {
  Closer file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return os_error("cannot read", path, errno);
  std::string content;
  char chunk[65536];
  for (;;) {
    const ssize_t got = ::read(file.fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_error("cannot read", path, errno);
    if (got == 0) return content;
    content.append(chunk, static_cast<size_t>(got));
    if (content.size() > max_bytes) {
      return Error(ErrorCode::kInvalid,
                   path + ": larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Result<> write_file_atomic(const std::string& path, std::string_view content, Durability durability,
                           unsigned mode) {
  const std::string temporary = path + ".new." + std::to_string(::getpid());
  Closer file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)};
  if (file.fd < 0) return os_error("cannot write", path, errno);
  const auto fail = [&](int number) {
    ::unlink(temporary.c_str());
    return os_error("cannot write", path, number);
  };
  for (std::string_view left = content; !left.empty();) {
    const ssize_t wrote = ::write(file.fd, left.data(), left.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail(errno);
    left.remove_prefix(static_cast<size_t>(wrote));
  }
  if (durability == Durability::kFsync && ::fsync(file.fd) != 0) return fail(errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(errno);
  if (durability == Durability::kFsync) return sync_directory_of(path);
  return Done{};
}

Result<> make_directories(const std::string& path, unsigned mode) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) == 0) continue;
    const int number = errno;
    struct stat info {};
    if (::stat(part.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    return os_error("cannot create", part, number == EEXIST ? ENOTDIR : number);
  }
  return Done{};
}

}  // namespace base
