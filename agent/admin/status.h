// The `status` document of the operator API (docs/architecture.md), and region.json: pure functions
// of what the agent knows at a moment.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "agent/collect/snapshot.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "agent/coord/tenants.h"
#include "agent/incident/book.h"
#include "agent/runbook/engine.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::admin {

// All outlive the call.
struct StatusParts {
  const coord::Region& region;
  const coord::TableJournal& journal;
  const collect::Snapshot& snapshot;
  const incident::IncidentBook& book;
  const runbook::Engine& engine;
};

struct AgentFacts {
  base::WallTime now;
  base::Duration uptime{0};
  int64_t pid = 0;
};

boost::json::object build_status(const StatusParts& parts, const AgentFacts& agent);
boost::json::array build_proxies(const StatusParts& parts, const coord::ClusterSpec& cluster);
boost::json::array build_backends(const StatusParts& parts, const coord::ClusterSpec& cluster);

// "127.0.1.1:7490", "[::1]:7490"
std::string host_port(const std::string& address, uint16_t port);

// Up, stuck, dead, … as people are told: a backend that owns no slot is ejected, one that answers
// is up.
coord::ProcessState shown_state(const coord::Region& region, const coord::TableJournal& journal,
                                const collect::Snapshot& snapshot, const coord::Process& process);

// The content of region.json; without `cache` when no cache with a credential is left. An error:
// its password cannot be unsealed.
base::Result<boost::json::object> describe_region(const coord::Region& region,
                                                  const coord::Tenants& tenants, int64_t agent_pid);

}  // namespace agent::admin
