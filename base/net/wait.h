// Waiting for a descriptor, for code that may block. Any thread.
#pragma once

#include "base/time/clock.h"

namespace base::net {

// Until `events` (as for poll(2)), or an error or hang-up, of `fd`; false when `end` has passed first.
bool wait_ready(int fd, short events, Instant end);

}  // namespace base::net
