#include "agent/coord/epoch_change.h"

#include <algorithm>

#include "base/core/check.h"

namespace agent::coord {
namespace {

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::set<std::string> old_owners_of_moving(const base::EpochTable& from,
                                           const base::EpochTable& to) {
  std::set<std::string> owners;
  if (from.epoch == 0) return owners;
  for (uint32_t slot = 0; slot < base::kSlotCount; ++slot) {
    if (from.owner[slot] == base::EpochTable::kNoOwner) continue;
    if (!base::slot_moves(from, to, static_cast<base::Slot>(slot))) continue;
    owners.insert(from.backends[from.owner[slot]].id);
  }
  return owners;
}

std::string ChangeBlockers::to_string() const {
  if (none()) return "nobody blocks the change";
  return "no answer from " + join(silent_proxies) + ", and no fence record can be written to " +
         join(unreachable_owners);
}

EpochChange::EpochChange(ChangeSetup setup)
    : may_kill_(setup.may_kill_unreachable_owner),
      started_(setup.started),
      fencing_(setup.fencing),
      record_may_exist_(setup.fencing) {
  for (const std::string& proxy : setup.proxies) proxies_[proxy];
  for (const std::string& owner : setup.old_owners) owners_[owner];
}

void EpochChange::on_prepare_sent(const std::string& proxy) {
  proxies_.at(proxy).asking = true;
}

void EpochChange::on_prepare(const std::string& proxy, bool acknowledged, base::Instant now) {
  Proxy& state = proxies_.at(proxy);
  state.asking = false;
  state.acknowledged = state.acknowledged || acknowledged;
  state.ask_again = now + kAskAgain;
}

void EpochChange::on_fence_tried(const std::string& backend) {
  CHECK(fencing_);
  owners_.at(backend).trying = true;
}

void EpochChange::on_fence(const std::string& backend, FenceOutcome outcome, base::Instant now) {
  Owner& owner = owners_.at(backend);
  if (outcome != FenceOutcome::kNotWritten) record_may_exist_ = true;
  owner.trying = false;
  owner.failed = outcome != FenceOutcome::kRaised;
  owner.try_again = now + kAskAgain;
  if (outcome == FenceOutcome::kRaised && owner.running && !owner.raised) {
    owner.raised = true;
    owner.raised_at = now;
  }
}

void EpochChange::on_running(const std::string& backend, bool running) {
  const auto at = owners_.find(backend);
  if (at == owners_.end()) return;
  Owner& owner = at->second;
  if (owner.running == running) return;
  const bool trying = owner.trying;  // its outcome still comes
  owner = Owner();
  owner.running = running;
  owner.trying = trying;
}

void EpochChange::on_kill_failed(const std::string& backend) {
  owners_.at(backend).kill_failed = true;
}

// A silent proxy serves nothing of this owner any more. Ended counts only once the journal says
// fencing: from then on whatever runs under that name is given no older record than the new one.
bool EpochChange::fenced(const Owner& owner, base::Instant now) const {
  if (!fencing_) return false;
  if (!owner.running) return true;
  return owner.raised && now >= owner.raised_at + kFencedAfter;
}

bool EpochChange::may_commit(base::Instant now) const {
  const bool all_acknowledged =
      std::all_of(proxies_.begin(), proxies_.end(), [](auto& p) { return p.second.acknowledged; });
  if (all_acknowledged) return true;
  return std::all_of(owners_.begin(), owners_.end(),
                     [&](auto& owner) { return fenced(owner.second, now); });
}

bool EpochChange::blocked() const {
  return std::any_of(owners_.begin(), owners_.end(), [](auto& entry) {
    const Owner& owner = entry.second;
    return owner.running && !owner.raised && owner.failed;
  });
}

ChangeBlockers EpochChange::blockers(base::Instant now) const {
  ChangeBlockers blockers;
  if (now < started_ + kPreparePatience) return blockers;
  for (const auto& [name, proxy] : proxies_) {
    if (!proxy.acknowledged) blockers.silent_proxies.push_back(name);
  }
  for (const auto& [name, owner] : owners_) {
    if (owner.running && !owner.raised && owner.failed) blockers.unreachable_owners.push_back(name);
  }
  return blockers;
}

base::Instant EpochChange::next_event(base::Instant now) const {
  base::Instant soonest = now + kAskAgain;
  const auto consider = [&](base::Instant at) {
    if (at > now) soonest = std::min(soonest, at);
  };
  for (const auto& [name, proxy] : proxies_) {
    if (!proxy.acknowledged) consider(proxy.ask_again);
  }
  for (const auto& [name, owner] : owners_) {
    consider(owner.try_again);
    if (owner.raised) consider(owner.raised_at + kFencedAfter);
  }
  consider(started_ + kPreparePatience);
  consider(started_ + kOwnerPatience);
  consider(started_ + kChangePatience);
  return soonest;
}

ChangeStep EpochChange::next(base::Instant now) const {
  ChangeStep step;
  if (may_commit(now)) {
    step.kind = ChangeStep::Kind::kCommit;
    return step;
  }
  for (const auto& [name, proxy] : proxies_) {
    if (!proxy.acknowledged && !proxy.asking && proxy.ask_again <= now)
      step.prepare.push_back(name);
  }
  if (fencing_) {
    for (const auto& [name, owner] : owners_) {
      if (owner.running && !owner.raised && !owner.trying && owner.try_again <= now) {
        step.fence.push_back(name);
      }
    }
  }
  if (!step.prepare.empty() || !step.fence.empty()) {
    step.kind = ChangeStep::Kind::kAct;
    return step;
  }
  if (!fencing_ && now >= started_ + kPreparePatience) {
    step.kind = ChangeStep::Kind::kBeginFencing;
    return step;
  }
  if (blocked() && may_kill_ && now >= started_ + kOwnerPatience) {
    for (const auto& [name, owner] : owners_) {
      if (owner.running && !owner.raised && owner.failed && !owner.kill_failed) {
        step.kill.push_back(name);
      }
    }
    step.kind = ChangeStep::Kind::kKill;
    if (!step.kill.empty()) return step;
  }
  const bool outcome_awaited =
      std::any_of(owners_.begin(), owners_.end(), [](auto& owner) { return owner.second.trying; });
  if (blocked() && !record_may_exist_ && !outcome_awaited && now >= started_ + kChangePatience) {
    step.kind = ChangeStep::Kind::kAbort;
    return step;
  }
  step.kind = ChangeStep::Kind::kWait;
  step.until = next_event(now);
  return step;
}

}  // namespace agent::coord
