// What the agent exports: every mcguard_agent_* family, named in one place.
//
// kAgentMetrics is the list that docs/metrics.md prints (a test compares them). Families come from
// two sides: those that follow from the `status` document (status_families) and those that only the
// application counts (counter_families). A family without a sample is left out.
#pragma once

#include <prometheus/metric_family.h>

#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time/clock.h"

namespace agent::web {

struct MetricInfo {
  std::string_view name;
  prometheus::MetricType type;
  std::string_view labels;  // "cluster, state"; empty: none
  std::string_view help;
};
std::span<const MetricInfo> agent_metrics();

// How connections are counted and what was (agent/conns), by proxy.
struct ConnectionMetrics {
  std::string source;  // empty: not known yet
  bool exact = false;
  uint64_t missed_events = 0;
  double processor_seconds = 0;
  std::map<std::pair<std::string, std::string>, uint64_t> by_state;  // by proxy, state
  std::map<std::string, uint64_t> opened, closed, aborted, failed, retransmits, queue, queue_drops;
};

// Echoes (agent/mesh), by target: "<proxy>/<backend>" or a peer's "address:port".
struct EchoMetrics {
  struct Trips {
    std::vector<std::pair<double, uint64_t>> within;  // cumulative, by upper bound in seconds
    uint64_t count = 0;
    double seconds = 0;
  };
  std::map<std::string, Trips> trips;
  std::map<std::string, uint64_t> asked, lost, late;
  std::optional<uint64_t> answered;         // of others' questions; nothing: none are taken
  std::map<std::string, uint64_t> dropped;  // by reason
};

// Counted by the application since its start.
struct AgentCounters {
  std::map<std::string, uint64_t> incidents_opened;                       // by type
  std::map<std::pair<std::string, std::string>, uint64_t> runs_finished;  // by runbook, outcome
  std::map<std::pair<std::string, std::string>, uint64_t>
      canary_requests;                                  // by cluster, result: ok | failed
  std::map<std::string, double> telemetry_age_seconds;  // by proxy
  ConnectionMetrics connections;
  EchoMetrics echoes;
  uint64_t rule_evaluations = 0;
  std::map<std::string, uint64_t> recording_events;  // by fate; empty: nothing is recorded
  uint64_t page_writes = 0;
  uint64_t page_write_failures = 0;
  base::WallTime page_last_success;  // ns == 0: never
  uint64_t log_lines_suppressed = 0;
  uint64_t flushes_pending = 0;
  uint64_t alerts_firing = 0;
  std::map<std::string, uint64_t> alerts_received;  // by status
  uint64_t machine_memory_bytes = 0;                // 0: not measured yet
  uint64_t machine_memory_available_bytes = 0;
};
std::vector<prometheus::MetricFamily> counter_families(const AgentCounters& counters);

// From the `status` document (docs/api.md); what is missing there is left out.
std::vector<prometheus::MetricFamily> status_families(const boost::json::value& status);

// Counted by the web face itself.
struct WebCounters {
  std::map<int, uint64_t> requests;  // by HTTP status
  uint64_t event_readers = 0;
};
std::vector<prometheus::MetricFamily> web_families(const WebCounters& counters);

}  // namespace agent::web
