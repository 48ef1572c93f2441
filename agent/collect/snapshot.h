// What the collectors know at a moment, for the status API, evidence and `conns`. Values only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/conns/counts.h"
#include "base/time/clock.h"

namespace agent::collect {

// What a proxy takes at most: its own default (limits.connections), which the files that the agent
// writes for proxies leave alone.
inline constexpr uint64_t kProxyConnectionLimit = 10'000;

// Over the last 10 s, from the telemetry segments.
struct ProxyFigures {
  std::string id, cluster;
  uint64_t connections = 0;  // open client connections, by the proxy
  // Established on its listeners, by the kernel; without the kernel's counts the proxy's.
  uint64_t kernel_connections = 0;
  conns::ListenerCounts kernel;  // all its listeners together
  double requests_per_second = 0;
  double errors_per_second = 0;
  double p50_seconds = 0;
  double p99_seconds = 0;
  double slow_share = 0;  // of its requests to backends, 0..1
  double heartbeat_age_seconds = 0;
  double telemetry_age_seconds = 0;
  uint32_t epoch = 0;
  uint32_t prepared_epoch = 0;
  bool measured = false;      // its segment has been read; before, the figures above say nothing
  bool canary_ok = false;     // all backends, at the last probe
  uint64_t memory_bytes = 0;  // resident
  double cpu_seconds = 0;
  uint64_t open_files = 0;
  uint64_t open_files_limit = 0;  // 0: not known
};

struct BackendFigures {
  std::string id, cluster;
  double requests_per_second = 0;
  double p99_seconds = 0;
  double failures_per_second = 0;
  uint64_t items = 0, bytes = 0, limit_bytes = 0;
  bool probe_ok = false;
  uint64_t memory_bytes = 0;
  double cpu_seconds = 0;
};

struct HostFigures {
  double load_1m = 0;
  double cpu_busy_share = 0;  // over the last second
  uint64_t memory_total_bytes = 0, memory_available_bytes = 0;
  uint64_t tcp_connections = 0;  // in use, by /proc/net/sockstat
  uint64_t tcp_time_wait = 0;
};

// What the agent itself takes of its host (brown_out.h).
struct AgentFigures {
  uint64_t memory_bytes = 0;
  double cpu_seconds = 0;
  double cpu_share = 0;              // of one core, over the last second
  double disk_bytes_per_second = 0;  // written
  double late_seconds = 0;           // its wake-ups behind their time, in the mean
  std::string brown_out = "full";    // the step
  std::string brown_out_why;         // one sentence; empty at full
  uint64_t brown_out_changes = 0;
};

// How connections are counted (agent/conns).
struct ConnectionFigures {
  std::string source, why;
  bool known = false, exact = false;
  uint64_t missed_events = 0;
  double processor_seconds = 0;
};

struct Snapshot {
  std::map<std::string, ProxyFigures> proxies;
  std::map<std::string, BackendFigures> backends;
  HostFigures host;
  AgentFigures agent;
  ConnectionFigures connections;
};

}  // namespace agent::collect
