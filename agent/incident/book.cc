#include "agent/incident/book.h"

#include <algorithm>

#include "agent/incident/cause.h"
#include "agent/incident/judgement.h"

namespace agent::incident {

namespace {

// Proofs first, then what is inferred, symptoms last: a cause is in the book before its symptoms
// ask.
int rank(const Verdict& verdict) {
  if (verdict.type == Type::kProxyDead || verdict.type == Type::kBackendDead) return 0;
  if (verdict.type == Type::kClientFlood) return 1;
  switch (family_of(verdict.type)) {
    case Family::kProxySick:
    case Family::kBackendSick:
      return 1;
    case Family::kNetwork:
      return is_wide(verdict.scope) ? 2 : 3;
    case Family::kConnections:
    case Family::kOther:
      break;
  }
  return 4;
}

base::Error no_incident(std::string_view id) {
  return {base::ErrorCode::kNotFound,
          "no incident named " + std::string(id) + "; `mcguard incident list` names them"};
}

}  // namespace

IncidentBook::IncidentBook(BookPolicy policy) : impl_(std::make_unique<Impl>()) {
  impl_->policy = policy;
}
IncidentBook::~IncidentBook() = default;

void IncidentBook::set_policy(BookPolicy policy) {
  impl_->policy = policy;
}

void IncidentBook::set_cluster(const std::string& cluster, size_t proxies, size_t backends) {
  impl_->symptoms.set_cluster(cluster, proxies, backends);
}

std::vector<Change> IncidentBook::apply(const std::vector<Verdict>& verdicts, Moment at) {
  Impl& book = *impl_;
  std::vector<const Verdict*> active;
  std::set<VerdictKey> keys;
  for (const Verdict& verdict : verdicts) {
    if (!verdict.active) continue;
    active.push_back(&verdict);
    keys.insert(key_of(verdict));
  }
  std::stable_sort(active.begin(), active.end(),
                   [](const Verdict* a, const Verdict* b) { return rank(*a) < rank(*b); });
  std::erase_if(book.muted, [&](const VerdictKey& key) { return !keys.contains(key); });
  for (Tracked& tracked : book.open) {
    if (tracked.trouble) tracked.ended = at.now;
    tracked.had_trouble = tracked.trouble;
    tracked.trouble = false;
    tracked.verdicts.clear();
  }
  for (const Verdict* verdict : active) {
    book.offer(*verdict, at);
    book.archive_resolved();
  }
  for (Tracked& tracked : book.open) book.advance(tracked, at);
  book.archive_resolved();
  book.forget_targets(at.now);
  return book.take_changes();
}

std::vector<Change> IncidentBook::run_event(const RunEvent& event, Moment at) {
  Impl& book = *impl_;
  const bool ends = event.kind != RunEvent::Kind::kStarted && event.kind != RunEvent::Kind::kStep;
  auto& target =
      book.targets.try_emplace(event.run, Impl::Target{event.target, at.now, {}}).first->second;
  if (ends) target.ended = at.now;
  Tracked* tracked = book.find_open(event.incident);
  if (tracked == nullptr) return {};

  const std::string name = event.runbook + " (" + event.run + ")";
  std::string text = event.text;
  const auto otherwise = [&](const std::string& own) {
    if (text.empty()) text = own;
  };
  Incident& incident = tracked->incident;
  if (std::find(incident.runs.begin(), incident.runs.end(), event.run) == incident.runs.end()) {
    incident.runs.push_back(event.run);
  }
  if (!ends) tracked->active_runs.insert(event.run);
  switch (event.kind) {
    case RunEvent::Kind::kStarted:
      otherwise("Runbook " + name + " started.");
      tracked->enter(State::kMitigating, at, "run", text);
      break;
    case RunEvent::Kind::kStep:
      otherwise("Runbook " + name + " went on.");
      tracked->add_timeline(at.wall, "step", text);
      break;
    case RunEvent::Kind::kVerified:
      otherwise("Runbook " + name + " ended, its effect verified.");
      break;
    case RunEvent::Kind::kFailed:
      otherwise("Runbook " + name + " failed.");
      break;
    case RunEvent::Kind::kHandedOver:
      otherwise("Runbook " + name + " handed over to a person.");
      break;
  }
  if (ends) {
    tracked->active_runs.erase(event.run);
    tracked->last_run_end = at.now;
    tracked->add_timeline(at.wall, "run", text);
    // Nobody acts on it any more: it is open, and a person's, unless the trouble is over.
    const bool given_up = event.kind != RunEvent::Kind::kVerified && tracked->active_runs.empty();
    if (given_up && incident.state == State::kMitigating) incident.state = State::kOpen;
  }
  book.say(Change::Kind::kUpdated, *tracked, event.kind != RunEvent::Kind::kStep);
  return book.take_changes();
}

base::Result<Change> IncidentBook::acknowledge(std::string_view id, std::string_view who,
                                               Moment at) {
  Tracked* tracked = impl_->find_open(id);
  if (tracked == nullptr && impl_->find_past(id) == nullptr) return no_incident(id);
  if (tracked == nullptr) {
    return base::Error(base::ErrorCode::kConflict, std::string(id) + " is already resolved");
  }
  tracked->incident.acknowledged_by = std::string(who);
  tracked->add_timeline(at.wall, "acknowledged", "Acknowledged by " + std::string(who) + ".");
  return Change{Change::Kind::kUpdated, std::string(id), false};
}

base::Result<Change> IncidentBook::resolve(std::string_view id, std::string_view who,
                                           std::string_view why, Moment at) {
  Tracked* tracked = impl_->find_open(id);
  if (tracked == nullptr && impl_->find_past(id) == nullptr) return no_incident(id);
  if (tracked == nullptr) {
    return base::Error(base::ErrorCode::kConflict, std::string(id) + " is already resolved");
  }
  if (!tracked->active_runs.empty()) {
    return base::Error(base::ErrorCode::kConflict, "run " + *tracked->active_runs.begin() +
                                                       " is working on " + std::string(id) +
                                                       "; abort it first");
  }
  impl_->muted.insert(tracked->verdicts.begin(), tracked->verdicts.end());
  std::string text = "Resolved by " + std::string(who) + ".";
  if (!why.empty()) text += " " + std::string(why);
  tracked->enter(State::kResolved, at, "resolved", text);
  impl_->archive_resolved();
  return Change{Change::Kind::kResolved, std::string(id), true};
}

base::Result<Change> IncidentBook::note(std::string_view id, std::string_view kind,
                                        std::string_view text, Moment at) {
  Tracked* tracked = impl_->find_open(id);
  if (tracked == nullptr) return no_incident(id);
  tracked->add_timeline(at.wall, kind, text);
  return Change{Change::Kind::kUpdated, std::string(id), false};
}

const Incident* IncidentBook::find(std::string_view id) const {
  if (const Tracked* tracked = impl_->find_open(id)) return &tracked->incident;
  const Tracked* tracked = impl_->find_past(id);
  return tracked == nullptr ? nullptr : &tracked->incident;
}

bool IncidentBook::is_present(std::string_view id) const {
  const Tracked* tracked = impl_->find_open(id);
  return tracked != nullptr && tracked->trouble;
}

std::vector<const Incident*> IncidentBook::unresolved() const {
  std::vector<const Incident*> list;
  for (auto it = impl_->open.rbegin(); it != impl_->open.rend(); ++it) {
    list.push_back(&it->incident);
  }
  return list;
}

std::vector<const Incident*> IncidentBook::resolved(size_t limit) const {
  std::vector<const Incident*> list;
  for (auto it = impl_->past.rbegin(); it != impl_->past.rend() && list.size() < limit; ++it) {
    list.push_back(&it->incident);
  }
  return list;
}

bool IncidentBook::is_correlated(std::string_view cluster, Type type, base::Instant now) const {
  const BookPolicy& policy = impl_->policy;
  const Correlation rule{policy.correlated_window, policy.correlated_share,
                         policy.correlated_at_least, policy.correlated_clusters};
  return impl_->symptoms.correlated(cluster, type, now, rule);
}

void IncidentBook::restore(std::vector<Incident> incidents, Moment at) {
  std::sort(incidents.begin(), incidents.end(),
            [](const Incident& a, const Incident& b) { return a.detected < b.detected; });
  for (Incident& incident : incidents) {
    Tracked tracked;
    tracked.incident = std::move(incident);
    // What was open is in trouble until shown otherwise; its quiet time begins now.
    tracked.began = at.now;
    tracked.ended = at.now;
    tracked.not_before =
        at.now + (is_proven(tracked.incident.type) ? impl_->policy.restored_proven
                                                   : impl_->policy.restored_inferred);
    const base::Duration ago = std::max(base::Duration(0), at.wall - tracked.incident.detected);
    if (ago < std::chrono::hours(1)) {
      impl_->symptoms.record(tracked.incident.type, tracked.incident.scope, at.now - ago);
    }
    const bool past = tracked.incident.state == State::kResolved;
    (past ? impl_->past : impl_->open).push_back(std::move(tracked));
  }
  std::sort(impl_->past.begin(), impl_->past.end(), [](const Tracked& a, const Tracked& b) {
    return a.incident.resolved < b.incident.resolved;
  });
  impl_->archive_resolved();
}

}  // namespace agent::incident
