// The incident book: verdicts and run events in, incidents and their changes out.
//
// Idea: one cause, one incident. A verdict that an incident already explains is added to it or
// ignored, never opened beside it: a dead proxy explains that it is stuck, that its links are slow
// and that its connections went elsewhere; a stuck backend explains its slow links; the cluster's
// network explains everything inferred within the cluster, and several clusters explain each of
// them. A verdict that explains an incident of a lesser kind turns that incident into itself. While
// a runbook replaces a proxy or backend, and for a few seconds after, its own series prove nothing.
// Since active verdicts are offered again at each call, what is only explained for now is not lost.
//
//   suspected ─(sure enough, or lasting)→ open ─(run_started)→ mitigating
//        open, mitigating ─(trouble over, no run active)→ monitoring ─(quiet)→ resolved
//        monitoring ─(trouble again)→ open;  resolved ─(same inferred trouble within `reopen`)→ open
//
// Left out: storing (to_json in json.h), telling people (wording.h gives the words), choosing a
// runbook.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/incident/incident.h"
#include "base/core/result.h"

namespace agent::incident {

// Both clocks at one moment: the monotonic one decides, the wall clock is written down.
struct Moment {
  base::Instant now;
  base::WallTime wall;
};

struct BookPolicy {
  double open_confidence = 0.8;                          // below: only suspected
  base::Duration suspect_for = std::chrono::seconds(5);  // a suspicion that lasts so long opens
  // From the end of the trouble to resolved: for what is proven (a process that ended or hung and
  // was replaced), and for what is inferred (network, surges), which comes back more often.
  base::Duration quiet_proven = std::chrono::seconds(5);
  base::Duration quiet_inferred = std::chrono::seconds(20);
  base::Duration reopen = std::chrono::minutes(2);  // after resolved; never for what is proven
  base::Duration settle = std::chrono::seconds(5);  // after a run: its target's series still lie
  base::Duration correlated_window = std::chrono::minutes(5);
  double correlated_share = 1.0 / 3;  // of the cluster's proxies or backends,
  size_t correlated_at_least = 2;     // but at least so many; or the symptom in
  size_t correlated_clusters = 2;     // so many clusters
  // How long the trouble of a restored incident is taken to last until it shows again or not: what is
  // proven shows as soon as it is looked at.
  base::Duration restored_proven = std::chrono::milliseconds(2500);
  base::Duration restored_inferred = std::chrono::seconds(10);
  size_t keep_resolved = 200;  // the oldest beyond are forgotten here
};

struct RunEvent {
  // Started; a step began or ended (text says which); then exactly one of the last three.
  enum class Kind { kStarted, kStep, kVerified, kFailed, kHandedOver };
  Kind kind = Kind::kStarted;
  std::string run;       // "run-…"
  std::string runbook;   // "replace-proxy"
  std::string incident;  // empty: started by hand
  Scope target;          // what it acts upon; explains that target's series while it runs
  std::string text;      // one sentence for the timeline; empty: the book's own words
};

struct Change {
  // kSuspected: new, not yet sure enough to act or tell. kOpened: new, sure, or open again.
  enum class Kind { kSuspected, kOpened, kUpdated, kResolved };
  Kind kind = Kind::kUpdated;
  std::string incident;
  // Worth a message to people: the state, scope or type changed, not merely the evidence.
  bool notable = true;
};

// Thread: the control thread's. Owner: app. Invariant: no two unresolved incidents have the same
// cause, by the rules above.
class IncidentBook {
 public:
  explicit IncidentBook(BookPolicy policy);
  ~IncidentBook();
  IncidentBook(const IncidentBook&) = delete;
  IncidentBook& operator=(const IncidentBook&) = delete;

  void set_policy(BookPolicy policy);
  // How many proxies and backends a cluster has; is_correlated needs it.
  void set_cluster(const std::string& cluster, size_t proxies, size_t backends);

  // What Detector::evaluate answered, all of it, and the passing of time. Call it at 10 Hz even
  // with nothing to say.
  std::vector<Change> apply(const std::vector<Verdict>& verdicts, Moment at);
  std::vector<Change> run_event(const RunEvent& event, Moment at);

  // kNotFound; kConflict when already resolved.
  base::Result<Change> acknowledge(std::string_view id, std::string_view who, Moment at);
  // By hand. If the trouble is still there, a new incident opens only after it has been away once.
  base::Result<Change> resolve(std::string_view id, std::string_view who, std::string_view why,
                               Moment at);
  base::Result<Change> note(std::string_view id, std::string_view kind, std::string_view text,
                            Moment at);

  const Incident* find(std::string_view id) const;  // valid until the next non-const call
  // Whether its trouble shows now: one of its verdicts was active at the last apply(). False for one
  // that was restored until it shows again.
  bool is_present(std::string_view id) const;
  // Newest first.
  std::vector<const Incident*> unresolved() const;
  std::vector<const Incident*> resolved(size_t limit) const;

  // At least max(2, a third) by default of the cluster's distinct proxies (backends, for backend
  // types) showed this symptom within the window, or two clusters did. Dead and stuck are one
  // symptom.
  bool is_correlated(std::string_view cluster, Type type, base::Instant now) const;

  // At start: incidents as they were stored. Those whose trouble does not show again end by
  // themselves after restored_… and the quiet time.
  void restore(std::vector<Incident> incidents, Moment at);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace agent::incident
