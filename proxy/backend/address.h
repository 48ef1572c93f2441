// Addresses of clients as numbers.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>

namespace proxy {

// IPv6, or IPv4-mapped, as two numbers in host byte order: the form telemetry and limits use.
std::array<uint64_t, 2> address_key(const sockaddr_storage& address);

}  // namespace proxy
