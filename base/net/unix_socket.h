// Unix sockets by path, of any length.
//
// sun_path holds 107 bytes, and a region's directory may lie deeper than that. So a long path is
// bound and connected through /proc/self/fd/<descriptor of its folder>/<name>, which is always
// short. Sockets have their mode from the first instant: fchmod() before bind() sets the mode that bind()
// gives to the file, without the process-wide umask.
#pragma once

#include <cstdint>
#include <string>

#include "base/core/result.h"
#include "base/net/fd.h"

namespace base::net {

// A listening, non-blocking socket. Removes the file of one that nobody listens on; kExists when
// somebody does, kNotFound when the folder is missing, kPermission.
// `mode`: who may connect.
Result<UniqueFd> listen_unix(const std::string& path, uint32_t mode = 0600);

// A connected, non-blocking socket. kUnavailable when nobody listens there, kPermission.
Result<UniqueFd> connect_unix(const std::string& path);

// Which file a bound socket has: a later owner of the same path must not lose its file to us.
struct SocketFile {
  uint64_t device = 0;
  uint64_t inode = 0;
};
SocketFile socket_file(const std::string& path);
void remove_socket_file(const std::string& path, const SocketFile& ours);

}  // namespace base::net
