// Addresses of clients as numbers.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>

namespace proxy {

// What stands for every client on a Unix socket: an address of 100::/64, which nobody can have
// (RFC 6666), ending in "unix".
inline constexpr std::array<uint64_t, 2> kUnixClient = {0x0100000000000000, 0x756e6978};

// IPv6, or IPv4-mapped, as two numbers in host byte order: the form telemetry and limits use.
std::array<uint64_t, 2> address_key(const sockaddr_storage& address);

}  // namespace proxy
