#include "proxy/backend/address.h"

#include <netinet/in.h>

namespace proxy {

std::array<uint64_t, 2> address_key(const sockaddr_storage& address) {
  std::array<uint64_t, 2> halves{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    halves[1] = 0xffff00000000ULL | ntohl(v4.sin_addr.s_addr);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    for (size_t i = 0; i < 16; ++i) {
      halves[i / 8] = halves[i / 8] << 8 | v6.sin6_addr.s6_addr[i];
    }
  } else if (address.ss_family == AF_UNIX || address.ss_family == AF_UNSPEC) {
    return kUnixClient;
  }
  return halves;
}

}  // namespace proxy
