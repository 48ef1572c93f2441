// Peer: the process at the other end of a Unix socket, held so that its number cannot come to mean
// another one.
#pragma once

#include <sys/types.h>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/clock.h"

namespace proxy::handover {

// Thread: one.
class Peer {
 public:
  // kPermission when it belongs to another user.
  static base::Result<Peer> of(int socket);

  pid_t pid() const { return pid_; }
  bool has_ended() const;
  // Whether it has ended by then.
  bool ends_within(base::Duration patience) const;
  void kill() const;

 private:
  pid_t pid_ = 0;
  base::net::UniqueFd pidfd_;  // not valid: it had ended already
};

}  // namespace proxy::handover
