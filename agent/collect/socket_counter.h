// SocketCounter: TCP connections as the kernel has them, by socket diagnostics (NETLINK_SOCK_DIAG).
//
// Never lsof, never /proc/net/tcp: those are quadratic or cost a core at 100,000 connections
// (research: node-agent). The kernel itself picks the sockets of our ports by a filter program; each
// connection then costs 0.8 µs. A dump is read one 32 KiB message at a time with the control thread's
// other work in between. It is not atomic: counts are right to about the square root of the churn.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"

namespace agent::collect {

using Address = std::array<uint8_t, 16>;       // IPv6, or IPv4-mapped
Address parse_address(std::string_view text);  // precondition: a literal
std::string to_string(const Address& address);

struct SocketRow {
  Address local{}, remote{};
  uint16_t local_port = 0;
  uint8_t state = 0;  // TCP_ESTABLISHED = 1, …
};
std::string_view tcp_state_name(uint8_t state);
inline constexpr uint32_t kEstablishedOnly = 1u << 1;
inline constexpr uint32_t kAllStates = 0xfff & ~(1u << 10);  // all but LISTEN

// The kernel's filter program: true for sockets whose local port is one of `ports`.
std::vector<uint8_t> port_filter(const std::set<uint16_t>& ports);
// Reads one datagram of an answer. kIo: truncated, or the kernel reports an error. False: the end.
base::Result<bool> read_dump(std::string_view datagram, bool truncated,
                             const std::function<void(const SocketRow&)>& row);

// Thread: the control thread's; one dump at a time. Owner: Collector.
class SocketCounter {
 public:
  explicit SocketCounter(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  // Calls `row` for each socket of `ports` in one of `states` (bit 1 << state).
  boost::asio::awaitable<base::Result<>> dump(std::set<uint16_t> ports, uint32_t states, bool ipv6,
                                              std::function<void(const SocketRow&)> row);

 private:
  boost::asio::awaitable<base::Result<>> dump_family(uint8_t family, std::vector<uint8_t> filter,
                                                     uint32_t states,
                                                     std::function<void(const SocketRow&)> row);
  boost::asio::any_io_executor executor_;
};

}  // namespace agent::collect
