#include "proxy/backend/keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace proxy {
namespace {

void set(int fd, int level, int option, int64_t value) {
  const int number = static_cast<int>(value);
  ::setsockopt(fd, level, option, &number, sizeof number);
}

}  // namespace

void set_keepalive(int fd, base::Duration patience) {
  const int64_t seconds = patience / std::chrono::seconds(1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0 ? 1 : 0);
  // Silence is only probed for; what ends the connection, silent or not, is this.
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, patience / std::chrono::milliseconds(1));
  if (seconds == 0) return;
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, std::max<int64_t>(1, seconds / 2));
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max<int64_t>(1, seconds / 6));
}

}  // namespace proxy
