#include "base/net/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace base::net {
namespace {

constexpr int kBacklog = 1024;

// The address of `path`, and the folder's descriptor that must stay open while it is used.
struct Address {
  sockaddr_un name{};
  UniqueFd folder;
};

Result<Address> address_of(const std::string& path) {
  Address address;
  address.name.sun_family = AF_UNIX;
  std::string shown = path;
  if (path.size() >= sizeof address.name.sun_path) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    address.folder.reset(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.folder.valid()) {
      const ErrorCode code = errno == EACCES ? ErrorCode::kPermission : ErrorCode::kUnavailable;
      return Error(code, "cannot open the folder of socket " + path + ": " + strerror(errno));
    }
    shown = "/proc/self/fd/" + std::to_string(address.folder.get()) + "/" +
            path.substr(slash == std::string::npos ? 0 : slash + 1);
  }
  if (path.empty() || shown.size() >= sizeof address.name.sun_path) {
    return Error(ErrorCode::kInvalid, "socket path \"" + path + "\" has an empty or too long name");
  }
  memcpy(address.name.sun_path, shown.c_str(), shown.size() + 1);
  return address;
}

const sockaddr* raw(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.name);
}

Result<UniqueFd> open_socket(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return Error(ErrorCode::kExhausted,
                 "cannot open a socket for " + path + ": " + strerror(errno));
  }
  return fd;
}

Error bind_error(const std::string& path, int failure) {
  ErrorCode code = ErrorCode::kIo;
  if (failure == EACCES || failure == EPERM || failure == EROFS) code = ErrorCode::kPermission;
  if (failure == ENOENT || failure == ENOTDIR) code = ErrorCode::kNotFound;
  return Error(code, "cannot listen on " + path + ": " + strerror(failure));
}

// Whether a process listens there. One that is stopped, or too busy, has a full backlog (EAGAIN) and
// still owns its socket.
bool is_listened_on(const Address& address, const std::string& path) {
  const auto fd = open_socket(path);
  return fd && (::connect(fd->get(), raw(address), sizeof address.name) == 0 || errno == EAGAIN);
}

}  // namespace

Result<UniqueFd> connect_unix(const std::string& path) {
  auto address = address_of(path);
  if (!address) return address.error();
  auto fd = open_socket(path);
  if (!fd) return fd;
  if (::connect(fd->get(), raw(*address), sizeof address->name) == 0) return fd;
  if (errno == EACCES || errno == EPERM) {
    return Error(ErrorCode::kPermission,
                 "may not connect to " + path + ": it belongs to another user");
  }
  return Error(ErrorCode::kUnavailable, "nobody answers on " + path + ": " + strerror(errno),
               Origin::kSelf, Retry::kSafe);
}

Result<UniqueFd> listen_unix(const std::string& path, uint32_t mode) {
  auto address = address_of(path);
  if (!address) return address.error();
  auto fd = open_socket(path);
  if (!fd) return fd;
  if (::fchmod(fd->get(), mode) != 0) return bind_error(path, errno);
  if (::bind(fd->get(), raw(*address), sizeof address->name) != 0) {
    if (errno != EADDRINUSE) return bind_error(path, errno);
    if (is_listened_on(*address, path)) {
      return Error(ErrorCode::kExists, "another process already listens on " + path);
    }
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
      return Error(ErrorCode::kExists, path + " exists and is not a socket: move it away");
    }
    ::unlink(path.c_str());
    if (::bind(fd->get(), raw(*address), sizeof address->name) != 0) {
      return bind_error(path, errno);
    }
  }
  if (::listen(fd->get(), kBacklog) != 0) return bind_error(path, errno);
  return fd;
}

SocketFile socket_file(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino};
}

void remove_socket_file(const std::string& path, const SocketFile& ours) {
  const SocketFile now = socket_file(path);
  if (now.inode != 0 && now.inode == ours.inode && now.device == ours.device) {
    ::unlink(path.c_str());
  }
}

}  // namespace base::net
