// What is known of a node's TCP connections at a moment. Values only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/conns/address.h"

namespace agent::conns {

// Where counts come from, best first.
enum class SourceKind {
  kBpf,  // the kernel's own events: exact, at a cost that does not grow with the connections
  kDiagnostics,  // socket diagnostics: right when nothing changes, as old as their pace
  kNone,         // nothing of the kernel's may be asked; the proxies' own counters remain
};
inline constexpr const char* to_string(SourceKind kind) {
  constexpr const char* kNames[] = {"bpf", "diagnostics", "proxies"};
  return kNames[static_cast<size_t>(kind)];
}

// A port to watch, and those of its local addresses that are counted apart from the others.
struct WatchedPort {
  uint16_t port = 0;
  std::vector<Address> addresses;
};

inline constexpr size_t kRttBuckets = 24;  // bucket i: from 2^i to 2^(i+1) microseconds

// One local address and port. Totals count since the source began.
struct ListenerCounts {
  Address address{};   // only where !others
  bool others = true;  // all local addresses of the port that are not counted apart
  uint16_t port = 0;
  std::array<uint64_t, kStates> states{};  // sockets, by TcpState
  // By the kernel's events alone; 0 from diagnostics.
  uint64_t opened = 0, closed = 0;
  uint64_t aborted = 0;  // of `closed`: reset or timed out
  uint64_t failed = 0;   // handshakes that did not end well
  uint64_t retransmits = 0;
  uint64_t bytes_in = 0, bytes_out = 0;     // of connections that have ended
  std::array<uint64_t, kRttBuckets> rtt{};  // of connections as they end
  // Of a listening socket with this very address, or any: what waits to be accepted.
  uint64_t queue = 0, queue_limit = 0, queue_drops = 0;
};

struct Counts {
  SourceKind source = SourceKind::kNone;
  std::string why;     // in one sentence: why this source and no better one
  bool known = false;  // false: nothing has been counted yet
  bool exact = false;  // by events, seeded, and no event missed since
  double age_seconds = 0;
  std::vector<ListenerCounts> listeners;
  uint64_t clients = 0;    // pairs of client and listener that have a count of their own
  uint64_t untracked = 0;  // established connections beyond those: no client's count is off by more
  uint64_t missed_events = 0, seedings = 0;  // since the source began
  double processor_seconds = 0;              // what watching has cost so far
};

// One client address at one listener.
struct ClientCount {
  Address client{};
  size_t listener = 0;  // index in Counts::listeners
  uint64_t connections = 0;
  uint64_t opened = 0;  // since the source began
  uint64_t bytes = 0;   // both directions, of connections that have ended
};

}  // namespace agent::conns
