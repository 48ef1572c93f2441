// What is asked of TCP so that a peer is found whose host has vanished: nothing would ever come from it,
// not even that it has gone.
#pragma once

#include "base/time/clock.h"

namespace proxy {

// Ends a connection with ETIMEDOUT (or what a router said) when its peer's host has answered nothing,
// or its peer has read nothing of what waits for it, for `patience` and up to a sixth of it or a second
// more. 0: what the kernel does by itself. On a listening socket it holds for those accepted from then
// on, and costs no system call for each. Nothing is asked of a Unix socket, whose peer cannot vanish.
void set_keepalive(int fd, base::Duration patience);

}  // namespace proxy
