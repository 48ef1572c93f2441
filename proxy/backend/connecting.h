// How this process begins to connect to a backend.
#pragma once

#include <cstdint>
#include <string>

#include "base/net/fd.h"
#include "base/time/clock.h"

namespace proxy {

// A socket that does not block and is on its way to `address`: numeric, or the absolute path of a Unix
// socket, whose port means nothing. Not valid: the kernel refused at once, errno says why.
base::net::UniqueFd begin_connecting(const std::string& address, uint16_t port,
                                     base::Duration keepalive);
// What has become of it when it is writable: 0, or an errno.
int connect_error(int fd);

}  // namespace proxy
