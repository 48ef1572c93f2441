// Socket diagnostics (NETLINK_SOCK_DIAG): TCP sockets as the kernel has them, asked one table walk at a time.
//
// Never lsof, never /proc/net/tcp: those are quadratic or cost a core at 100,000 connections. The
// kernel itself picks sockets by a filter program; each that passes costs 0.8 µs, each other 0.2 µs.
// A dump is not atomic: under churn it is right to about the square root of what changes meanwhile. No
// rights are needed. Only the caller's network namespace is seen.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string_view>
#include <vector>

#include "agent/conns/address.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::conns {

struct SocketRow {
  Address local{}, remote{};
  uint16_t local_port = 0, remote_port = 0;
  uint8_t state = 0;  // TcpState
  // Of a listening socket.
  uint32_t queue = 0, queue_limit = 0, drops = 0;
  // With `info`.
  uint32_t rtt_us = 0, retransmits = 0;
  uint32_t quiet_ms = 0;  // since the peer last sent data, or since the connection opened
};

inline constexpr uint32_t state_bit(TcpState state) {
  return 1u << state;
}
inline constexpr uint32_t kAllStates = 0x1fff & ~1u;

struct DumpQuestion {
  std::set<uint16_t> ports;  // local ones; empty: all
  // Only sockets whose remote port is in [low, high].
  uint16_t remote_low = 0, remote_high = 65535;
  uint32_t states = kAllStates;
  bool ipv6 = true;   // beside IPv4
  bool info = false;  // also what only INET_DIAG_INFO tells; 1.1 µs instead of 0.8
  // Processor time after which the dump is given up between two messages; 0: none.
  base::Duration limit = base::Duration(0);
};

// The kernel's filter program for the question; empty: every socket passes. Precondition: at most
// 999 ports.
std::vector<uint8_t> filter_program(const DumpQuestion& question);
// Reads one datagram of an answer. kIo: truncated, or the kernel reports an error. False: the end.
using RowReader = std::function<void(const SocketRow&)>;
base::Result<bool> read_dump(std::string_view datagram, bool truncated, const RowReader& row);
// Asks and reads to the end, in the caller's thread. kExhausted: the limit was reached.
base::Result<> dump(const DumpQuestion& question, const RowReader& row);

// Ports that somebody listens on.
base::Result<std::set<uint16_t>> listening_ports();
// Sockets in TIME_WAIT, of the whole namespace, and as "tw" in /proc/net/sockstat.
uint64_t time_wait_total();

}  // namespace agent::conns
