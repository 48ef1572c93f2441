#include "base/net/wait.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace base::net {

bool wait_ready(int fd, short events, Instant end) {
  constexpr int64_t kLongestPollMs = 60'000;  // its argument is an int
  const SystemClock clock;
  while (true) {
    const Duration left = end - clock.now();
    if (left <= Duration::zero()) return false;
    pollfd ready{fd, events, 0};
    const int64_t ms = std::min<int64_t>(left / std::chrono::milliseconds(1), kLongestPollMs);
    const int count = ::poll(&ready, 1, static_cast<int>(ms) + 1);
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

}  // namespace base::net
