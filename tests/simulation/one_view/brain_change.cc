// Brain: changes of the epoch and flushes (tables.cc, flushes.cc, table_journal.cc).
#include <algorithm>

#include "tests/simulation/one_view/brain.h"

namespace one_view {

using agent::coord::ChangeSetup;
using agent::coord::ChangeStep;
using agent::coord::kFencedAfter;

namespace {
constexpr Duration kTellFirst = 150ms;
constexpr Duration kLook = 10ms;
constexpr Duration kLookClosely = 1ms;
constexpr Duration kTellCompletion = 300ms;
constexpr Duration kLookSlowly = 200ms;
constexpr Duration kFlushPatience = 2s;
}  // namespace

Brain::Brain(Controller& controller)
    : controller_(controller),
      world_(controller.world_),
      mutation_(controller.world_.mutation),
      memory_(controller.disk_),
      peers_(world_.proxies.size()),
      keepers_(world_.backends.size()) {}

void Brain::resume() {
  // Tenants::load_entries.
  completed_flush_ = memory_.flush_sequence;
  if (!memory_.pending_flushes.empty()) {
    completed_flush_ = memory_.pending_flushes.begin()->first - 1;
  }
  for (const auto& [sequence, cache] : memory_.pending_flushes) {
    auto progress = std::make_shared<FlushProgress>();
    progress->sequence = sequence;
    progress->started = now();
    soon(0ns, [this, progress] { run_flush(progress); });
  }
  if (memory_.phase != Phase::kStable) {
    take_change_turn([this] { drive(false, [this] { end_change_turn(); }); });
  }
  for (size_t i = 0; i < peers_.size(); ++i) soon(0ns, [this, i] { watch_proxy(i, now()); });
  for (size_t i = 0; i < keepers_.size(); ++i) soon(0ns, [this, i] { watch_backend(i, now()); });
}

size_t Brain::backend_index(const std::string& id) const {
  const auto at = std::find_if(world_.backends.begin(), world_.backends.end(),
                               [&](const Backend* b) { return b->process.name == id; });
  return static_cast<size_t>(at - world_.backends.begin());
}

size_t Brain::proxy_index(const std::string& id) const {
  const auto at = std::find_if(world_.proxies.begin(), world_.proxies.end(),
                               [&](const SimProxy* p) { return p->process.name == id; });
  return static_cast<size_t>(at - world_.proxies.begin());
}

// Durable first; then, when the store has answered, in memory.
void Brain::save(std::function<void(Disk&)> write, Work then) {
  soon(simulation().latency(), [this, write = std::move(write), then = std::move(then)] {
    write(controller_.disk_);
    soon(simulation().latency(), [this, write, then] {
      write(memory_);
      simulation().tell("agent: " + controller_.state());
      then();
    });
  });
}

void Brain::take_change_turn(Work work) {
  change_turn_.push_back(std::move(work));
  if (changing_) return;
  changing_ = true;
  Work first = std::move(change_turn_.front());
  change_turn_.pop_front();
  first();
}

void Brain::end_change_turn() {
  if (change_turn_.empty()) {
    changing_ = false;
    return;
  }
  Work next = std::move(change_turn_.front());
  change_turn_.pop_front();
  soon(0ns, std::move(next));
}

// Tables::change_in_turn.
void Brain::change(std::vector<uint32_t> weights, bool may_kill) {
  if (active_ && may_kill) active_->change->permit_kill();
  take_change_turn([this, weights = std::move(weights), may_kill] {
    const auto& present = memory_.committed->backends;
    std::vector<size_t> returning;
    bool same = true;
    for (size_t i = 0; i < weights.size(); ++i) {
      same = same && present[i].weight == weights[i];
      if (weights[i] != 0 && present[i].weight == 0) returning.push_back(i);
    }
    if (same) return end_change_turn();
    Work failed = [this] { end_change_turn(); };
    Work begin = [this, weights, may_kill] {
      const base::Epoch epoch = std::max(memory_.last_epoch, memory_.committed->epoch) + 1;
      const TablePtr table =
          world_.tables.next(memory_.committed, epoch, weights, mutation_.reuse_since);
      const auto write = [table](Disk& disk) {
        disk.last_epoch = std::max(disk.last_epoch, table->epoch);
        disk.prepared = table;
        disk.phase = Phase::kPreparing;
      };
      save(write, [this, may_kill] { drive(may_kill, [this] { end_change_turn(); }); });
    };
    return_backends(std::move(returning), std::move(begin), std::move(failed));
  });
}

// Tables::flush_returning.
void Brain::return_backends(std::vector<size_t> returning, Work then, Work failed) {
  if (returning.empty()) return then();
  const size_t backend = returning.back();
  returning.pop_back();
  flush_backend(backend, [this, backend, returning = std::move(returning), then = std::move(then),
                          failed = std::move(failed)](Failure failure) {
    forget(backend);
    if (failure != Failure::kNone) return failed();
    raise(backend, [this, returning, then, failed](FenceOutcome outcome) {
      if (outcome != FenceOutcome::kRaised) return failed();
      return_backends(returning, then, failed);
    });
  });
}

void Brain::drive(bool may_kill, Work ended) {
  ChangeSetup setup;
  for (const SimProxy* proxy : world_.proxies) setup.proxies.push_back(proxy->process.name);
  setup.old_owners = world_.tables.old_owners(memory_.committed, memory_.prepared);
  setup.fencing = memory_.phase == Phase::kFencing;
  setup.may_kill_unreachable_owner = may_kill;
  setup.started = now();
  Active active;
  active.change = std::make_unique<EpochChange>(std::move(setup));
  active.epoch = memory_.prepared->epoch;
  active.ended = std::move(ended);
  active_ = std::move(active);
  step();
}

void Brain::notify() {
  if (!active_ || !active_->asleep) return;
  active_->asleep = false;
  ++active_->sleep;
  soon(simulation().moment(), [this] { step(); });
}

// Tables::take_step.
void Brain::step() {
  EpochChange& change = *active_->change;
  for (size_t i = 0; i < world_.backends.size(); ++i) {
    change.on_running(world_.backends[i]->process.name, world_.running[i]);
  }
  const ChangeStep next = change.next(now());
  switch (next.kind) {
    case ChangeStep::Kind::kAct:
      act(next);
      return step();
    case ChangeStep::Kind::kBeginFencing:
      return save([](Disk& disk) { disk.phase = Phase::kFencing; },
                  [this] {
                    active_->change->on_fencing();
                    step();
                  });
    case ChangeStep::Kind::kKill:
      return kill_owners(next.kill);
    case ChangeStep::Kind::kWait: {
      active_->asleep = true;
      const uint64_t sleep = ++active_->sleep;
      return soon(std::max<Duration>(0ns, next.until - now()), [this, sleep] {
        if (!active_ || !active_->asleep || active_->sleep != sleep) return;
        active_->asleep = false;
        step();
      });
    }
    case ChangeStep::Kind::kCommit:
      return save(
          [](Disk& disk) {
            disk.committed = disk.prepared;
            disk.prepared = nullptr;
            disk.phase = Phase::kStable;
          },
          [this] { decided("committed"); });
    case ChangeStep::Kind::kAbort:
      if (may_exist(active_->epoch)) {
        change.on_record_may_exist();
        return step();
      }
      retreating_ = true;
      return save(
          [](Disk& disk) {
            disk.prepared = nullptr;
            disk.phase = Phase::kStable;
          },
          [this] {
            retreating_ = false;
            decided("rolled back");
          });
  }
}

void Brain::act(const ChangeStep& step) {
  const base::Epoch epoch = active_->epoch;
  for (const std::string& name : step.prepare) {
    active_->change->on_prepare_sent(name);
    const size_t proxy = proxy_index(name);
    sync(proxy, false, [this, proxy, name, epoch] {
      if (!active_ || active_->epoch != epoch) return;
      const bool acknowledged = acknowledged_epoch(proxy, epoch);
      if (acknowledged)
        simulation().tell("agent: " + name + " acknowledged " + std::to_string(epoch));
      active_->change->on_prepare(name, acknowledged, now());
      notify();
    });
  }
  for (const std::string& name : step.fence) {
    active_->change->on_fence_tried(name);
    const auto raised = [this, name, epoch](FenceOutcome outcome) {
      if (!active_ || active_->epoch != epoch) return;
      const Instant at = mutation_.commit_at_once ? now() - kFencedAfter : now();
      active_->change->on_fence(name, outcome, at);
      notify();
    };
    raise(backend_index(name), raised);
    if (!mutation_.fence_anywhere) continue;
    for (size_t i = 0; i < keepers_.size(); ++i) {
      raise(i, [raised](FenceOutcome outcome) {
        if (outcome == FenceOutcome::kRaised) raised(outcome);
      });
    }
  }
}

void Brain::kill_owners(const std::vector<std::string>& owners) {
  for (const std::string& name : owners) world_.kill_backend(backend_index(name));
  soon(20ms, [this] { step(); });
}

// Tables::drive after the decision: everybody is told before the turn ends.
void Brain::decided(const std::string& how) {
  simulation().tell("agent: epoch " + std::to_string(active_->epoch) + " " + how);
  const Work ended = std::move(active_->ended);
  active_.reset();
  const auto left = std::make_shared<size_t>(peers_.size());
  for (size_t i = 0; i < peers_.size(); ++i) {
    sync(i, false, [left, ended] {
      if (--*left == 0) ended();
    });
  }
}

// ---- flushes.cc

void Brain::flush(base::CacheId cache, Work done) {
  if (bumping_) return;
  bumping_ = true;
  const uint64_t sequence = memory_.flush_sequence + 1;
  const base::Generation generation = memory_.generations[cache] + 1;
  const auto write = [=](Disk& disk) {
    disk.flush_sequence = sequence;
    disk.generations[cache] = generation;
    disk.flushed_at[cache] = sequence;
    disk.pending_flushes[sequence] = cache;
  };
  save(write, [this, sequence, cache, generation, done = std::move(done)] {
    bumping_ = false;
    flushes_[sequence] = {cache, generation};
    if (mutation_.complete_early) completed_flush_ = std::max(completed_flush_, sequence);
    auto progress = std::make_shared<FlushProgress>();
    progress->sequence = sequence;
    progress->started = now();
    progress->done = done;
    for (size_t i = 0; i < peers_.size(); ++i) sync(i, false, [] {});
    run_flush(progress);
  });
}

bool Brain::flush_done(const FlushProgress& progress) const {
  bool all = true;
  for (size_t i = 0; i < peers_.size(); ++i) all = all && acknowledged_flush(i, progress.sequence);
  if (all) return true;
  const FenceRecord record{0, progress.sequence};
  const Duration wait = mutation_.flush_at_once ? Duration(0) : kFencedAfter;
  for (size_t i = 0; i < keepers_.size(); ++i) {
    if (!world_.running[i]) continue;
    const auto since = held_since(i, record);
    if (!since || world_.simulation.now() < *since + wait) return false;
  }
  return true;
}

// Flushes::tell_completion and what comes after it in Flushes::complete.
void Brain::tell_completion(ProgressPtr progress, Instant deadline) {
  bool waits = false;
  for (size_t i = 0; i < peers_.size(); ++i) {
    waits = waits || (acknowledged_flush(i, progress->sequence) &&
                      !acknowledged_completion(i, progress->sequence));
  }
  if (waits && now() < deadline) {
    return soon(kLookClosely, [this, progress, deadline] { tell_completion(progress, deadline); });
  }
  if (progress->done && now() - progress->started < kFlushPatience) progress->done();
  save([progress](Disk& disk) { disk.pending_flushes.erase(progress->sequence); }, [] {});
}

// Flushes::complete.
void Brain::run_flush(ProgressPtr progress) {
  const Duration waited = now() - progress->started;
  if (flush_done(*progress)) {
    simulation().tell("agent: flush " + std::to_string(progress->sequence) + " is complete");
    completed_flush_ = std::max(completed_flush_, progress->sequence);
    for (size_t i = 0; i < peers_.size(); ++i) {
      if (acknowledged_flush(i, progress->sequence)) sync(i, false, [] {});
    }
    return tell_completion(progress, now() + kTellCompletion);
  }
  const FenceRecord record{0, progress->sequence};
  for (size_t i = 0; i < keepers_.size(); ++i) {
    if (waited < kTellFirst || progress->raising.contains(i)) continue;
    if (!world_.running[i] || held_since(i, record)) continue;
    progress->raising.insert(i);
    raise(i, [progress, i](FenceOutcome) { progress->raising.erase(i); });
  }
  soon(waited < kFlushPatience ? kLook : kLookSlowly, [this, progress] { run_flush(progress); });
}

}  // namespace one_view
