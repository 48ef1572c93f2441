// What the collectors know at a moment, for the status API, evidence and `conns`. Values only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/time/clock.h"

namespace agent::collect {

// Over the last 10 s, from the telemetry segments.
struct ProxyFigures {
  std::string id, cluster;
  uint64_t connections = 0;         // open client connections, by the proxy
  uint64_t kernel_connections = 0;  // established on its listeners, by the kernel
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

struct Snapshot {
  std::map<std::string, ProxyFigures> proxies;
  std::map<std::string, BackendFigures> backends;
  HostFigures host;
  uint64_t agent_memory_bytes = 0;
  double agent_cpu_seconds = 0;
};

// One row of `conns`: connections by port, state or client address.
struct ConnectionRow {
  std::string key;  // "127.0.1.1:11211", "established", "10.1.2.3"
  uint64_t count = 0;
};

}  // namespace agent::collect
