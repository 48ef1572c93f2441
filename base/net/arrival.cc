#include "base/net/arrival.h"

#include <string.h>

namespace base::net {
namespace {

constexpr Duration kBelieved = std::chrono::seconds(10);

}  // namespace

Duration waited_in_kernel(msghdr& message, WallTime now) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    memcpy(&stamp, CMSG_DATA(at), sizeof stamp);
    const Duration ago(now.ns - (int64_t{stamp.tv_sec} * 1'000'000'000 + stamp.tv_nsec));
    return ago < Duration(0) || ago > kBelieved ? Duration(0) : ago;
  }
  return Duration(0);
}

}  // namespace base::net
