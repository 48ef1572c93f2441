// When the kernel had received what a socket with SO_TIMESTAMPNS reads: so that whoever looks seldom
// still knows when it came.
#pragma once

#include <sys/socket.h>
#include <time.h>

#include "base/time/clock.h"

namespace base::net {

// Room for the control message of one recvmsg().
union ArrivalControl {
  char bytes[CMSG_SPACE(sizeof(timespec))];
  cmsghdr aligned;
};

// How long before `now` the kernel had it; 0 when it does not say, or the wall clock was set meanwhile.
// Source of the format: socket(7), SCM_TIMESTAMPNS.
Duration waited_in_kernel(msghdr& message, WallTime now);

}  // namespace base::net
