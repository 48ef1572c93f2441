// One incident as the book works on it: the incident, and what the book must remember beside it.
// Methods here change one incident and write its timeline; which incident a verdict belongs to is
// the book's decision.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "agent/incident/book.h"

namespace agent::incident {

// What tells one verdict from another between two calls. Slowness is the same, whoever's it turns out
// to be.
using VerdictKey = std::tuple<std::string, Type, Scope>;
inline VerdictKey key_of(const Verdict& verdict) {
  const bool is_slow = verdict.type == Type::kMemberSlow;
  return {verdict.rule, is_slow ? Type::kNetworkDegraded : verdict.type, verdict.scope};
}

// Thread: the book's. Owner: the book. Invariant: incident.resolved is set exactly in kResolved.
struct Tracked {
  Incident incident;
  bool trouble = false;      // one of its verdicts is active
  bool had_trouble = false;  // and at the call before
  base::Instant began;       // when the present trouble was first seen
  base::Instant ended;       // when it was last over
  base::Instant not_before;  // restored: not resolved earlier
  std::optional<base::Instant> last_run_end;
  base::Instant told_evidence;  // when new evidence was last reported as a change
  std::set<std::string> active_runs;
  std::set<std::string> told_alerts;  // from outside, that it explains
  std::set<std::string> findings;     // that its timeline tells
  std::set<VerdictKey> verdicts;      // its active ones, as of the last call

  void add_timeline(base::WallTime at, std::string_view kind, std::string_view text);
  void enter(State state, Moment at, std::string_view kind, std::string_view text);
  // The scope grows or names another client, or the type becomes more telling; true when either changed.
  bool take_identity(const Verdict& verdict, Moment at);
  // True when the verdict tells what the timeline does not.
  bool take_finding(const Verdict& verdict, Moment at);
  // True when a series was added that the evidence did not have.
  bool take_evidence(const Verdict& verdict);

 private:
  bool is_corrected_by(const Verdict& verdict) const;
};

Tracked new_incident(const Verdict& verdict, std::string id, Moment at);

// "inc-20261123-072817-1"
std::string incident_id(base::WallTime at, size_t number);

}  // namespace agent::incident
