#include "agent/incident/tracked.h"

#include <algorithm>

#include "agent/incident/cause.h"
#include "agent/incident/wording.h"

namespace agent::incident {

namespace {

constexpr size_t kTimelineMax = 200;
constexpr size_t kTimelineHead = 50;  // how it began is never dropped
constexpr size_t kEvidenceMax = 24;
constexpr size_t kFindingsMax = 20;

bool is_slowness(Type type) {
  return type == Type::kNetworkDegraded || type == Type::kMemberSlow;
}

}  // namespace

void Tracked::add_timeline(base::WallTime at, std::string_view kind, std::string_view text) {
  auto& timeline = incident.timeline;
  if (timeline.size() >= kTimelineMax) timeline.erase(timeline.begin() + kTimelineHead);
  timeline.push_back({at, std::string(kind), std::string(text)});
  incident.updated = at;
}

void Tracked::enter(State state, Moment at, std::string_view kind, std::string_view text) {
  incident.state = state;
  incident.resolved = state == State::kResolved ? at.wall : base::WallTime{};
  add_timeline(at.wall, kind, text);
}

// At the same place another client is named instead. Where both are, it is of no one in particular.
bool Tracked::is_corrected_by(const Verdict& verdict) const {
  if (incident.scope.client.empty() || verdict.scope.client.empty()) return false;
  Scope other = verdict.scope;
  other.client = incident.scope.client;
  return other == incident.scope && verdicts.size() <= 1;
}

bool Tracked::take_identity(const Verdict& verdict, Moment at) {
  const Scope scope =
      is_corrected_by(verdict) ? verdict.scope : widened(incident.scope, verdict.scope);
  Type type = incident.type;
  const bool several = family_of(type) == Family::kNetwork && scope.cluster.empty();
  if (several) type = Type::kSeveralClusters;
  // A surge of which the clients have become known; never back.
  if (type == Type::kConnectionSurge && verdict.type == Type::kClientFlood) type = verdict.type;
  // Slowness of which it has become known whose it is; a verdict that has not found that out yet says
  // nothing against one that had.
  const bool knows = verdict.type == Type::kMemberSlow || !verdict.finding.empty();
  if (is_slowness(type) && is_slowness(verdict.type) && knows) type = verdict.type;
  if (scope == incident.scope && type == incident.type) return false;
  const bool grown = scope != incident.scope;
  incident.scope = scope;
  incident.type = type;
  incident.title = operator_title(type, scope);
  const std::string what = grown ? "It now concerns " + scope.to_string() : incident.title;
  add_timeline(at.wall, "note", what + ". " + verdict.sentence);
  findings.insert(verdict.finding);
  return true;
}

bool Tracked::take_finding(const Verdict& verdict, Moment at) {
  if (verdict.finding.empty() || findings.size() >= kFindingsMax) return false;
  if (!findings.insert(verdict.finding).second) return false;
  add_timeline(at.wall, "note", verdict.finding);
  return true;
}

bool Tracked::take_evidence(const Verdict& verdict) {
  bool added = false;
  auto& evidence = incident.evidence;
  for (const Evidence& item : verdict.evidence) {
    const auto known = std::find_if(evidence.begin(), evidence.end(), [&](const Evidence& other) {
      return other.series == item.series;
    });
    if (known != evidence.end()) {
      *known = item;
    } else if (evidence.size() < kEvidenceMax) {
      evidence.push_back(item);
      added = true;
    }
  }
  return added;
}

Tracked new_incident(const Verdict& verdict, std::string id, Moment at) {
  Tracked tracked;
  Incident& incident = tracked.incident;
  incident.id = std::move(id);
  incident.type = verdict.type;
  incident.scope = verdict.scope;
  incident.title =
      verdict.title.empty() ? operator_title(verdict.type, verdict.scope) : verdict.title;
  incident.alert = verdict.alert;
  incident.confidence = verdict.confidence;
  // The wall clock of a moment that only the monotonic clock knows.
  const base::Duration ago = std::max(base::Duration(0), at.now - verdict.since);
  incident.started = base::WallTime{at.wall.ns - ago.count()};
  incident.detected = at.wall;
  incident.updated = at.wall;
  tracked.began = at.now;
  tracked.ended = at.now;
  tracked.told_evidence = at.now;
  tracked.take_evidence(verdict);
  tracked.add_timeline(at.wall, "detected", verdict.sentence);
  tracked.findings.insert(verdict.finding);
  return tracked;
}

std::string incident_id(base::WallTime at, size_t number) {
  // 2026-11-23T07:28:17.042Z -> 20261123-072817
  const std::string civil = at.to_rfc3339();
  std::string id = "inc-";
  id += civil.substr(0, 4) + civil.substr(5, 2) + civil.substr(8, 2) + "-";
  id += civil.substr(11, 2) + civil.substr(14, 2) + civil.substr(17, 2);
  return id + "-" + std::to_string(number);
}

}  // namespace agent::incident
