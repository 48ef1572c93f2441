// The words of trouble: Scope, Verdict, Incident. Values only; the book that keeps incidents is
// incident/book.h, the rules that give verdicts are in rule/.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "base/time/clock.h"

namespace agent::incident {

// Incident types, as in rules/policy.yaml, metric labels and the API.
enum class Type {
  kProxyDead,
  kProxyStuck,
  kBackendDead,
  kBackendStuck,
  kConnectionSurge,
  kClientFlood,
  kNetworkDegraded,
  kMemberSlow,
  kClusterLost,
  kSeveralClusters,
  kControlPlaneLost,
  kResourcesLow,
  kCertificateExpiring,
  kOther,
};
std::string_view to_string(Type type);  // "proxy_dead", …

// What is affected: the smallest thing that explains the evidence. Empty fields do not apply.
// cluster only: the cluster's network. All empty: several clusters.
struct Scope {
  std::string cluster;
  std::string proxy;
  std::string backend;
  std::string client;
  friend auto operator<=>(const Scope&, const Scope&) = default;
  // "proxy amber-proxy-1", "cluster amber", …
  std::string to_string() const;
};

struct Evidence {
  std::string series;  // "link_pace{cluster=amber,proxy=amber-proxy-1,…}"
  double baseline = 0;
  double observed = 0;
  std::string unit;
};

// A rule's answer about one scope. `active` false: the trouble it reported is over.
struct Verdict {
  std::string rule;
  Type type = Type::kOther;
  Scope scope;
  bool active = true;
  double confidence = 1;  // 0..1
  base::Instant since;    // when the trouble began, by the evidence
  std::string sentence;   // one sentence with numbers, for people
  std::string finding;    // what was found out about it, part of `sentence`; empty: nothing yet
  std::string title;      // of an incident that it opens; empty: by type and scope
  std::string alert;      // fingerprint of the alert from outside that says so; empty: our own rule
  std::vector<Evidence> evidence;
};

enum class State { kSuspected, kOpen, kMitigating, kMonitoring, kResolved };
std::string_view to_string(State state);

struct TimelineEntry {
  base::WallTime at;
  std::string kind;  // detected, opened, run, step, monitoring, resolved, note, acknowledged
  std::string text;
};

struct Incident {
  std::string id;  // "inc-20261123-072817-1": sortable, stable
  Type type = Type::kOther;
  Scope scope;
  State state = State::kSuspected;
  std::string title;  // "Proxy amber-proxy-1 is dead"
  std::string alert;  // fingerprint of the alert from outside that it is about; empty: found here
  double confidence = 1;
  base::WallTime started, detected, updated;
  base::WallTime resolved;      // ns == 0: not yet
  base::WallTime last_present;  // when its trouble last showed: before the quiet and the verifying
  std::string acknowledged_by;
  std::vector<Evidence> evidence;
  std::vector<TimelineEntry> timeline;  // at most 200 entries; the oldest after the first 50 go
  std::vector<std::string> runs;        // ids of runbook runs
};

}  // namespace agent::incident
