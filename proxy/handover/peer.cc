#include "proxy/handover/peer.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace proxy::handover {

base::Result<Peer> Peer::of(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
    return base::Error(base::ErrorCode::kIo,
                       std::string("hand-over: who is there? ") + std::strerror(errno));
  }
  if (who.uid != ::geteuid()) {
    return base::Error(base::ErrorCode::kPermission,
                       "hand-over: the other process belongs to another user");
  }
  Peer peer;
  peer.pid_ = who.pid;
  peer.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, who.pid, 0)));
  if (!peer.pidfd_.valid() && errno != ESRCH) {
    return base::Error(base::ErrorCode::kIo,
                       std::string("hand-over: pidfd_open: ") + std::strerror(errno));
  }
  return peer;
}

bool Peer::has_ended() const {
  return ends_within(base::Duration(0));
}

bool Peer::ends_within(base::Duration patience) const {
  if (!pidfd_.valid()) return true;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  const timespec timeout{patience.count() / 1'000'000'000, patience.count() % 1'000'000'000};
  return ::ppoll(&ended, 1, &timeout, nullptr) > 0;
}

void Peer::kill() const {
  if (pidfd_.valid()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

}  // namespace proxy::handover
