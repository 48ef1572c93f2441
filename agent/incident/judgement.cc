#include "agent/incident/judgement.h"

#include <algorithm>

#include "agent/incident/cause.h"
#include "agent/incident/wording.h"

namespace agent::incident {

namespace {

// A run whose end nobody reported explains its target no longer than this.
constexpr base::Duration kLongestRun = std::chrono::hours(1);
// For so long after its beginning a sick proxy or backend may show elsewhere in its cluster.
constexpr base::Duration kShock = std::chrono::seconds(20);
constexpr size_t kToldAlerts = 20;  // an incident
// How long an alert may go on about what is over.
constexpr base::Duration kAlertLag = std::chrono::minutes(3);
constexpr base::Duration kEvidenceNews = std::chrono::seconds(10);

}  // namespace

void IncidentBook::Impl::say(Change::Kind kind, const Tracked& tracked, bool notable) {
  for (Change& change : changes) {
    if (change.incident != tracked.incident.id || change.kind != kind) continue;
    change.notable = change.notable || notable;
    return;
  }
  changes.push_back({kind, tracked.incident.id, notable});
}

Tracked* IncidentBook::Impl::find_open(std::string_view id) {
  const auto it =
      std::find_if(open.begin(), open.end(), [&](const Tracked& t) { return t.incident.id == id; });
  return it == open.end() ? nullptr : &*it;
}

const Tracked* IncidentBook::Impl::find_past(std::string_view id) const {
  const auto it =
      std::find_if(past.begin(), past.end(), [&](const Tracked& t) { return t.incident.id == id; });
  return it == past.end() ? nullptr : &*it;
}

bool IncidentBook::Impl::is_fresh(const Tracked& tracked, base::Instant now) const {
  const bool settling = !tracked.trouble && now - tracked.ended < policy.settle;
  const bool ran = tracked.last_run_end && now - *tracked.last_run_end < policy.settle;
  return now - tracked.began < kShock || settling || ran || !tracked.active_runs.empty();
}

// An incident explains while its trouble lasts, while a run works on it, and while things settle.
Tracked* IncidentBook::Impl::explaining(const Verdict& verdict, base::Instant now) {
  const auto found = std::find_if(open.begin(), open.end(), [&](const Tracked& tracked) {
    if (tracked.incident.state == State::kSuspected && is_proven(verdict.type)) return false;
    const bool fresh = is_fresh(tracked, now);
    if (!tracked.trouble && !fresh && verdict.alert.empty()) return false;
    return explains(tracked.incident.type, tracked.incident.scope, verdict, fresh);
  });
  return found == open.end() ? nullptr : &*found;
}

bool IncidentBook::Impl::is_explained_by_past(const Verdict& alert, base::WallTime now) const {
  return std::any_of(past.begin(), past.end(), [&](const Tracked& tracked) {
    const Incident& incident = tracked.incident;
    return now - incident.resolved < kAlertLag &&
           explains(incident.type, incident.scope, alert, false);
  });
}

bool IncidentBook::Impl::is_being_replaced(const Verdict& verdict, base::Instant now) const {
  return std::any_of(targets.begin(), targets.end(), [&](const auto& entry) {
    const Target& target = entry.second;
    if (target.ended && now - *target.ended >= policy.settle) return false;
    const Scope& scope = target.scope;
    if (scope.cluster != verdict.scope.cluster) return false;
    if (scope.proxy.empty() && scope.backend.empty()) return false;
    const bool proxy = !scope.proxy.empty() && scope.proxy == verdict.scope.proxy;
    const bool backend = !scope.backend.empty() && scope.backend == verdict.scope.backend;
    // The cluster's other members take over clients and contents meanwhile.
    const bool shock = !is_proven(verdict.type) && is_wide(verdict.scope);
    return proxy || backend || shock;
  });
}

Tracked* IncidentBook::Impl::owner_of(const Verdict& verdict) {
  // A scope that contains the verdict's is a better home than one that would have to grow.
  Tracked* owner = nullptr;
  for (Tracked& tracked : open) {
    if (!same_cause(tracked.incident, verdict)) continue;
    if (contains(tracked.incident.scope, verdict.scope)) return &tracked;
    if (owner == nullptr) owner = &tracked;
  }
  return owner;
}

Tracked* IncidentBook::Impl::supersede(const Verdict& verdict, Moment at) {
  for (Tracked& tracked : open) {
    // Somebody acts on it as it is. About slowness evidence is gathered, and a flood disturbs nobody.
    const bool is_acted_on = !tracked.active_runs.empty();
    if (is_acted_on && verdict.type != Type::kClientFlood) continue;
    if (!supersedes(verdict, tracked.incident.type, tracked.incident.scope)) continue;
    tracked.incident.type = verdict.type;
    tracked.incident.scope = verdict.scope;
    tracked.incident.title = operator_title(verdict.type, verdict.scope);
    tracked.add_timeline(at.wall, "note", "This is the cause: " + verdict.sentence);
    say(Change::Kind::kUpdated, tracked);
    return &tracked;
  }
  return nullptr;
}

Tracked* IncidentBook::Impl::reopen(const Verdict& verdict, Moment at) {
  // What is proven, an end or a hang, is an event of its own however soon it comes after another,
  // with its own beginning, remedy and end; what is only inferred flickers.
  if (is_proven(verdict.type)) return nullptr;
  for (auto it = past.rbegin(); it != past.rend(); ++it) {
    if (at.wall - it->incident.resolved >= policy.reopen) break;
    if (!same_cause(it->incident, verdict)) continue;
    if (!contains(it->incident.scope, verdict.scope)) continue;
    Tracked tracked = std::move(*it);
    past.erase(std::next(it).base());
    tracked.began = at.now;
    if (tracked.incident.scope != verdict.scope) {
      // What is back may be less than what was there, and grows again if it is not.
      tracked.incident.type = verdict.type;
      tracked.incident.scope = verdict.scope;
      tracked.incident.title = operator_title(verdict.type, verdict.scope);
      tracked.incident.evidence.clear();
    }
    tracked.enter(State::kOpen, at, "opened", "It is back: " + verdict.sentence);
    open.push_back(std::move(tracked));
    say(Change::Kind::kOpened, open.back());
    return &open.back();
  }
  return nullptr;
}

std::string IncidentBook::Impl::fresh_id(base::WallTime at) const {
  const auto taken = [&](const std::string& id) {
    const auto same = [&](const Tracked& t) { return t.incident.id == id; };
    return std::any_of(open.begin(), open.end(), same) ||
           std::any_of(past.begin(), past.end(), same);
  };
  size_t number = 1;
  while (taken(incident_id(at, number))) ++number;
  return incident_id(at, number);
}

void IncidentBook::Impl::offer(const Verdict& verdict, Moment at) {
  const VerdictKey key = key_of(verdict);
  if (muted.contains(key)) return;
  Tracked* tracked = owner_of(verdict);
  if (tracked == nullptr) {
    if (is_being_replaced(verdict, at.now)) return;
    tracked = supersede(verdict, at);
  }
  if (tracked == nullptr) {
    if (Tracked* cause = explaining(verdict, at.now)) return note_symptom(*cause, verdict, at);
    if (!verdict.alert.empty() && is_explained_by_past(verdict, at.wall)) return;
    tracked = reopen(verdict, at);
  }
  if (tracked == nullptr) {
    open.push_back(new_incident(verdict, fresh_id(at.wall), at));
    tracked = &open.back();
    if (verdict.confidence >= policy.open_confidence) {
      tracked->enter(State::kOpen, at, "opened", tracked->incident.title + ".");
      say(Change::Kind::kOpened, *tracked);
    } else {
      say(Change::Kind::kSuspected, *tracked);
    }
  }
  symptoms.record(verdict.type, verdict.scope, at.now);
  absorb(*tracked, verdict, at);
}

// Whoever reads the incident sees which alerts were about it.
void IncidentBook::Impl::note_symptom(Tracked& cause, const Verdict& verdict, Moment at) {
  if (verdict.alert.empty() || cause.told_alerts.size() >= kToldAlerts) return;
  if (!cause.told_alerts.insert(verdict.alert).second) return;
  cause.add_timeline(at.wall, "note", verdict.sentence);
  say(Change::Kind::kUpdated, cause, false);
}

void IncidentBook::Impl::absorb(Tracked& tracked, const Verdict& verdict, Moment at) {
  tracked.verdicts.insert(key_of(verdict));
  if (!tracked.trouble && !tracked.had_trouble) tracked.began = at.now;
  tracked.trouble = true;
  tracked.incident.last_present = at.wall;
  tracked.incident.confidence = std::max(tracked.incident.confidence, verdict.confidence);
  const bool grown = tracked.take_identity(verdict, at);
  const bool found = tracked.take_finding(verdict, at);
  const bool added = tracked.take_evidence(verdict);
  if (grown || found) say(Change::Kind::kUpdated, tracked);
  if (added && at.now - tracked.told_evidence >= kEvidenceNews) {
    tracked.told_evidence = at.now;
    tracked.incident.updated = at.wall;
    say(Change::Kind::kUpdated, tracked, false);
  }
  if (grown) merge_covered(tracked.incident.id, at);
}

// An incident that has grown may now contain others of its kind: they end in its favour.
void IncidentBook::Impl::merge_covered(const std::string& id, Moment at) {
  const Incident grown = find_open(id)->incident;
  for (Tracked& other : open) {
    const Incident& incident = other.incident;
    if (incident.id == id || incident.state == State::kResolved) continue;
    if (family_of(incident.type) != family_of(grown.type)) continue;
    if (!contains(grown.scope, incident.scope)) continue;
    for (const std::string& run : incident.runs) find_open(id)->incident.runs.push_back(run);
    other.enter(State::kResolved, at, "resolved",
                "Continued in " + grown.id + ": " + grown.title + ".");
    say(Change::Kind::kResolved, other);
  }
}

// One handler for the states: what the passing of time and the end of trouble do.
void IncidentBook::Impl::advance(Tracked& tracked, Moment at) {
  Incident& incident = tracked.incident;
  const bool running = !tracked.active_runs.empty();
  const base::Duration quiet =
      is_proven(incident.type) ? policy.quiet_proven : policy.quiet_inferred;
  const bool is_quiet = !tracked.trouble && at.now - tracked.ended >= quiet &&
                        at.now >= tracked.not_before && !running;
  // Just restored: the detector has not had the time to say whether the trouble is still there.
  const bool is_unknown = !tracked.trouble && at.now < tracked.not_before;
  switch (incident.state) {
    case State::kSuspected:
      if (tracked.trouble && (incident.confidence >= policy.open_confidence ||
                              at.now - tracked.began >= policy.suspect_for)) {
        tracked.enter(State::kOpen, at, "opened", incident.title + ".");
        say(Change::Kind::kOpened, tracked);
      } else if (is_quiet) {
        tracked.enter(State::kResolved, at, "resolved", "It went away by itself.");
        say(Change::Kind::kResolved, tracked);
      }
      return;
    case State::kMitigating:
      if (running || is_unknown) return;
      if (tracked.trouble &&
          (!tracked.last_run_end || at.now - *tracked.last_run_end >= policy.settle)) {
        tracked.enter(State::kOpen, at, "note", "The trouble is still there after the run.");
        say(Change::Kind::kUpdated, tracked);
      }
      [[fallthrough]];
    case State::kOpen:
      if (tracked.trouble || running || is_unknown) return;
      tracked.enter(State::kMonitoring, at, "monitoring",
                    "The trouble is over; watching that it stays so.");
      say(Change::Kind::kUpdated, tracked);
      return;
    case State::kMonitoring:
      if (tracked.trouble) {
        tracked.enter(State::kOpen, at, "opened", "The trouble is back.");
        say(Change::Kind::kOpened, tracked);
      } else if (is_quiet) {
        tracked.enter(State::kResolved, at, "resolved", "It has stayed quiet; resolved.");
        say(Change::Kind::kResolved, tracked);
      }
      return;
    case State::kResolved:
      return;
  }
}

void IncidentBook::Impl::archive_resolved() {
  for (Tracked& tracked : open) {
    if (tracked.incident.state == State::kResolved) past.push_back(std::move(tracked));
  }
  std::erase_if(open, [](const Tracked& t) {
    return t.incident.id.empty() || t.incident.state == State::kResolved;
  });
  if (past.size() > policy.keep_resolved) {
    past.erase(past.begin(), past.end() - static_cast<ptrdiff_t>(policy.keep_resolved));
  }
}

void IncidentBook::Impl::forget_targets(base::Instant now) {
  std::erase_if(targets, [&](const auto& entry) {
    const Target& target = entry.second;
    if (target.ended) return now - *target.ended >= policy.settle;
    return now - target.started >= kLongestRun;
  });
}

}  // namespace agent::incident
