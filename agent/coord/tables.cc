#include "agent/coord/tables.h"

#include <algorithm>

#include "base/core/check.h"
#include "base/telemetry/log.h"

namespace agent::coord {
namespace {

constexpr base::Duration kStoreRetry = std::chrono::milliseconds(100);
constexpr base::Duration kKillTimeout = std::chrono::seconds(2);
constexpr base::Duration kFlushTimeout = std::chrono::seconds(1);

base::Error stopping() {
  return base::Error(base::ErrorCode::kUnknown,
                     "the agent is stopping; it takes the change up when it is back");
}

std::vector<std::string> proxy_ids(const ClusterSpec& cluster) {
  std::vector<std::string> ids;
  for (const ProxySpec& proxy : cluster.proxies) ids.push_back(proxy.id);
  return ids;
}

// The backends of the next table: those of the present one in their order, then new ones.
std::vector<base::TableBackend> merge(const base::EpochTable& present, const ClusterSpec& cluster,
                                      const std::map<std::string, uint32_t>& weights) {
  std::vector<base::TableBackend> backends = present.backends;
  for (const BackendSpec& spec : cluster.backends) {
    const bool listed = std::any_of(backends.begin(), backends.end(),
                                    [&](const auto& entry) { return entry.id == spec.id; });
    if (!listed) backends.push_back({spec.id, spec.weight});
  }
  for (base::TableBackend& entry : backends) {
    const auto at = weights.find(entry.id);
    if (at != weights.end()) entry.weight = at->second;
  }
  return backends;
}

// Whom a silent proxy may still serve from. When every slot begins anew nobody knows by which table it
// serves (the first one, or one of a store that was lost): from any backend.
std::set<std::string> old_owners(const ClusterSpec& cluster, const ClusterTables& tables) {
  const base::EpochTable& next = *tables.prepared;
  const bool anew = std::all_of(next.since.begin(), next.since.end(),
                                [&](base::Epoch since) { return since == next.epoch; });
  if (!anew) return old_owners_of_moving(tables.committed, next);
  std::set<std::string> everybody;
  for (const BackendSpec& backend : cluster.backends) everybody.insert(backend.id);
  return everybody;
}

bool same_weights(const std::vector<base::TableBackend>& a,
                  const std::vector<base::TableBackend>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.id == y.id && x.weight == y.weight;
  });
}

}  // namespace

struct Tables::Active {
  Active(boost::asio::any_io_executor executor, std::string c, base::Epoch e, EpochChange decider)
      : cluster(std::move(c)), epoch(e), change(std::move(decider)), news(std::move(executor)) {}
  std::string cluster;
  base::Epoch epoch;
  EpochChange change;
  Signal news;
};

struct Tables::Job {
  Job(boost::asio::any_io_executor executor, TableRequest r)
      : request(std::move(r)), ended(std::move(executor)) {}
  TableRequest request;
  std::optional<Outcome> outcome;
  Signal ended;
};

Tables::Tables(boost::asio::any_io_executor executor, Region& region, TableJournal& journal,
               const Tenants& tenants, ProxySync& sync, FenceRecords& fences,
               BackendControl& backends, ProcessControl& processes, base::Timers& timers,
               base::Gate& gate)
    : executor_(std::move(executor)),
      region_(region),
      journal_(journal),
      tenants_(tenants),
      sync_(sync),
      fences_(fences),
      backends_(backends),
      processes_(processes),
      timers_(timers),
      gate_(gate) {
  for (const ClusterSpec& cluster : region.spec().clusters) {
    turns_.emplace(cluster.name, Turn(executor_));
  }
}

boost::asio::awaitable<Tables::Outcome> Tables::change(TableRequest request) {
  if (region_.cluster(request.cluster) == nullptr) {
    co_return base::Error(base::ErrorCode::kNotFound, "no cluster is named " + request.cluster,
                          base::Origin::kClient);
  }
  const auto under_way = active_.find(request.cluster);
  if (under_way != active_.end() && request.may_kill_unreachable_owner) {
    under_way->second->change.permit_kill();
  }
  const base::Instant deadline = request.deadline;
  auto job = std::make_shared<Job>(executor_, std::move(request));
  base::spawn(executor_, gate_, "epoch change", run_job(job));
  while (!job->outcome && !gate_.closed() && timers_.clock().now() < deadline) {
    co_await wait_signal(job->ended, timers_, deadline);
  }
  if (job->outcome) co_return *job->outcome;
  if (gate_.closed()) co_return stopping();
  const ChangeBlockers who = blockers(job->request.cluster);
  co_return base::Error(base::ErrorCode::kTimeout,
                        "the new epoch of " + job->request.cluster +
                            " is not committed yet and goes on by itself: " + who.to_string(),
                        base::Origin::kBackend);
}

boost::asio::awaitable<void> Tables::run_job(std::shared_ptr<Job> job) {
  TableRequest request = job->request;
  job->outcome = co_await change_in_turn(std::move(request));
  job->ended.notify();
}

boost::asio::awaitable<Tables::Outcome> Tables::change_in_turn(TableRequest request) {
  const Turn::Held held = co_await turns_.find(request.cluster)->second.take();
  const ClusterSpec& cluster = *region_.cluster(request.cluster);
  co_await settle(cluster.name);
  if (gate_.closed()) co_return stopping();
  if (journal_.at(cluster.name).phase != ChangePhase::kStable) {
    // Left over from a failed write of the store or a restart: that one first.
    auto finished = co_await drive(cluster.name, request.may_kill_unreachable_owner);
    if (!finished.ok()) co_return finished;
  }
  const base::EpochTable& present = journal_.at(cluster.name).committed;
  std::vector<base::TableBackend> backends = merge(present, cluster, request.weights);
  const bool same = present.epoch != 0 && same_weights(backends, present.backends);
  if (same && !request.afresh) co_return present.epoch;
  std::vector<std::string> returning;
  for (const base::TableBackend& entry : backends) {
    if (present.epoch == 0 || entry.weight == 0) continue;
    if (journal_.at(cluster.name).weight_of(entry.id) == 0) returning.push_back(entry.id);
  }
  auto flushed = co_await flush_returning(cluster.name, std::move(returning));
  if (!flushed.ok()) co_return flushed.error();
  const ClusterTables& tables = journal_.at(cluster.name);
  const base::Epoch epoch = std::max(tables.last_epoch, tables.committed.epoch) + 1;
  // Afresh: nothing that was stored under any table before can be read any more.
  const base::EpochTable nothing;
  base::EpochTable table =
      base::next_table(request.afresh ? nothing : tables.committed, epoch, std::move(backends));
  auto begun = co_await journal_.begin(cluster.name, std::move(table));
  co_await settle(cluster.name);
  // Begun without our having been told is begun all the same.
  if (!begun.ok() && journal_.at(cluster.name).phase == ChangePhase::kStable) {
    co_return begun.error();
  }
  if (gate_.closed()) co_return stopping();
  co_return co_await drive(cluster.name, request.may_kill_unreachable_owner);
}

// Returns when the journal is sure of what the store holds, or the agent stops.
boost::asio::awaitable<void> Tables::settle(std::string cluster) {
  while (!gate_.closed()) {
    auto settled = co_await journal_.settle(cluster);
    if (settled.ok()) co_return;
    co_await timers_.wait_for(kStoreRetry);
  }
}

// A backend that was out comes back empty: before the epoch is prepared, never after.
boost::asio::awaitable<base::Result<>> Tables::flush_returning(std::string cluster,
                                                               std::vector<std::string> backends) {
  for (const std::string& backend : backends) {
    auto flushed = co_await backends_.flush_all(backend, kFlushTimeout);
    fences_.forget(backend);
    if (!flushed.ok()) {
      co_return base::Error(base::ErrorCode::kRefused,
                            backend + " cannot come back into " + cluster +
                                " since it cannot be flushed: " + flushed.error().context,
                            base::Origin::kBackend);
    }
    auto raised = co_await fences_.raise(backend);
    if (!raised.ok()) co_return raised.error();
  }
  co_return base::Done{};
}

// The caller holds the cluster's turn; the journal holds a change.
boost::asio::awaitable<Tables::Outcome> Tables::drive(std::string cluster, bool may_kill) {
  const ClusterTables& tables = journal_.at(cluster);
  CHECK(tables.prepared.has_value());
  ChangeSetup setup;
  setup.proxies = proxy_ids(*region_.cluster(cluster));
  setup.old_owners = old_owners(*region_.cluster(cluster), tables);
  setup.fencing = tables.phase == ChangePhase::kFencing;
  setup.may_kill_unreachable_owner = may_kill;
  setup.started = timers_.clock().now();
  EpochChange decider(std::move(setup));
  auto active =
      std::make_shared<Active>(executor_, cluster, tables.prepared->epoch, std::move(decider));
  active_[cluster] = active;
  std::optional<Outcome> outcome;
  while (!outcome && !gate_.closed()) outcome = co_await take_step(active);
  active_.erase(cluster);
  if (!outcome) co_return stopping();
  co_await tell_proxies(cluster);
  co_return *outcome;
}

base::Error Tables::rolled_back(const Active& active, const std::string& why) {
  base::log::warn("epoch_rolled_back",
                  {{"cluster", active.cluster}, {"epoch", active.epoch}, {"reason", why}});
  return base::Error(base::ErrorCode::kRefused,
                     "the new epoch of " + active.cluster + " was rolled back: " + why,
                     base::Origin::kBackend, base::Retry::kSafe);
}

// Does what is next; the outcome once it is decided and durable.
boost::asio::awaitable<std::optional<Tables::Outcome>> Tables::take_step(
    std::shared_ptr<Active> active) {
  EpochChange& change = active->change;
  // Whether the last step was taken decides what may be next.
  co_await settle(active->cluster);
  if (gate_.closed()) co_return std::nullopt;
  if (const ClusterTables& tables = journal_.at(active->cluster);
      tables.phase == ChangePhase::kStable) {
    // A write whose outcome was not known had decided it.
    if (tables.committed.epoch >= active->epoch) co_return Outcome(active->epoch);
    co_return Outcome(rolled_back(*active, "the store was not sure"));
  }
  for (const BackendSpec& backend : region_.cluster(active->cluster)->backends) {
    change.on_running(backend.id, processes_.running(backend.id));
  }
  const base::Instant now = timers_.clock().now();
  const ChangeStep step = change.next(now);
  base::Result<> stored;
  switch (step.kind) {
    case ChangeStep::Kind::kAct:
      for (const std::string& proxy : step.prepare) {
        change.on_prepare_sent(proxy);
        base::spawn(executor_, gate_, "epoch prepare", ask_prepare(active, proxy));
      }
      for (const std::string& backend : step.fence) {
        change.on_fence_tried(backend);
        base::spawn(executor_, gate_, "epoch fence", try_fence(active, backend));
      }
      co_return std::nullopt;
    case ChangeStep::Kind::kBeginFencing:
      stored = co_await journal_.fencing(active->cluster);
      if (stored.ok()) change.on_fencing();
      break;
    case ChangeStep::Kind::kKill:
      for (const std::string& backend : step.kill) {
        base::log::warn("killing_unreachable_owner",
                        {{"backend", backend}, {"epoch", active->epoch}});
        auto killed = co_await processes_.kill(backend, kKillTimeout);
        if (!killed.ok()) change.on_kill_failed(backend);
      }
      co_return std::nullopt;
    case ChangeStep::Kind::kWait:
      co_await wait_signal(active->news, timers_, step.until);
      co_return std::nullopt;
    case ChangeStep::Kind::kCommit:
      stored = co_await journal_.commit(active->cluster);
      if (!stored.ok()) break;
      base::log::info("epoch_committed", {{"cluster", active->cluster}, {"epoch", active->epoch}});
      co_return Outcome(active->epoch);
    case ChangeStep::Kind::kAbort: {
      if (fences_.may_exist(active->cluster, active->epoch)) {
        change.on_record_may_exist();
        co_return std::nullopt;
      }
      // Looked up before the way back is durable, but nothing can be claimed from here on.
      const std::string who = change.blockers(now).to_string();
      stored = co_await journal_.rollback(active->cluster);
      if (!stored.ok()) break;
      co_return Outcome(rolled_back(*active, who));
    }
  }
  if (!stored.ok()) {
    base::log::warn("epoch_journal_failed", {{"error", stored.error()}});
    co_await timers_.wait_for(kStoreRetry);
  }
  co_return std::nullopt;
}

boost::asio::awaitable<void> Tables::ask_prepare(std::shared_ptr<Active> active,
                                                 std::string proxy) {
  auto synced = co_await sync_.sync(proxy, false);
  const bool acknowledged = sync_.acknowledged_epoch(proxy, active->epoch);
  if (!synced.ok() && !acknowledged) {
    base::log::debug("prepare_failed", {{"proxy", proxy}, {"error", synced.error()}});
  }
  active->change.on_prepare(proxy, acknowledged, timers_.clock().now());
  active->news.notify();
}

boost::asio::awaitable<void> Tables::try_fence(std::shared_ptr<Active> active,
                                               std::string backend) {
  auto raised = co_await fences_.raise(backend);
  FenceOutcome outcome = FenceOutcome::kRaised;
  if (!raised.ok()) {
    outcome = raised.code() == base::ErrorCode::kUnavailable ? FenceOutcome::kNotWritten
                                                             : FenceOutcome::kMaybeWritten;
  } else if (raised->epoch < active->epoch) {
    outcome = FenceOutcome::kNotWritten;  // chosen while a way back was being taken
  }
  active->change.on_fence(backend, outcome, timers_.clock().now());
  active->news.notify();
}

boost::asio::awaitable<void> Tables::tell_proxies(std::string cluster) {
  std::vector<boost::asio::awaitable<void>> works;
  for (const ProxySpec& proxy : region_.cluster(cluster)->proxies) works.push_back(tell(proxy.id));
  co_await run_all(executor_, std::move(works));
}

// Who does not answer is told by the reconciler when it does.
boost::asio::awaitable<void> Tables::tell(std::string proxy) {
  auto told = co_await sync_.sync(proxy, false);
  if (!told.ok()) {
    base::log::info("epoch_not_told", {{"proxy", proxy}, {"error", told.error()}});
  }
}

// Asks everybody who runs, so that sync_ and fences_ have seen what they know. False: somebody does
// not answer yet.
boost::asio::awaitable<bool> Tables::ask_all(std::string cluster) {
  bool sure = true;
  for (const BackendSpec& backend : region_.cluster(cluster)->backends) {
    if (!processes_.running(backend.id)) continue;
    auto record = co_await backends_.read_fence(backend.id, kFenceWriteTimeout);
    if (!record.ok()) {
      sure = false;
    } else if (record->has_value()) {
      fences_.note(cluster, **record);
    }
  }
  for (const ProxySpec& proxy : region_.cluster(cluster)->proxies) {
    auto synced = co_await sync_.sync(proxy.id, true);
    const bool answered = synced.ok() || sync_.known(proxy.id).status.has_value();
    if (!answered && processes_.running(proxy.id)) sure = false;
  }
  co_return sure;
}

FenceRecord Tables::seen(std::string_view cluster) const {
  FenceRecord newest = sync_.seen(cluster);
  newest.raise_to(fences_.seen(cluster));
  return newest;
}

bool Tables::is_behind(std::string_view cluster) const {
  FenceRecord store;
  store.epoch = journal_.last_epoch(cluster);
  store.flush_sequence = tenants_.version(cluster).flush_sequence;
  if (!store.covers(seen(cluster))) return true;
  // The numbers have been raised, but the table that goes with them is not there yet.
  const ClusterTables& tables = journal_.at(cluster);
  const base::Epoch prepared = tables.prepared ? tables.prepared->epoch : 0;
  return sync_.served(cluster) > std::max(tables.committed.epoch, prepared);
}

boost::asio::awaitable<base::Result<>> Tables::rebuild(std::string cluster) {
  journal_.raise_floor(cluster, seen(cluster).epoch);
  TableRequest request = wanted(cluster);
  request.afresh = true;
  auto changed = co_await change(std::move(request));
  if (!changed.ok()) co_return changed.error();
  co_return base::Done{};
}

// Follows the definition, but leaves alone who was ejected.
TableRequest Tables::wanted(const std::string& cluster) const {
  std::map<std::string, uint32_t> weights;
  const ClusterTables& tables = journal_.at(cluster);
  for (const base::TableBackend& entry : tables.committed.backends) weights[entry.id] = 0;
  for (const BackendSpec& backend : region_.cluster(cluster)->backends) {
    const bool listed = weights.contains(backend.id);
    const bool ejected = listed && tables.weight_of(backend.id) == 0;
    weights[backend.id] = ejected ? 0 : backend.weight;
  }
  const base::Instant deadline = timers_.clock().now() + std::chrono::seconds(5);
  return TableRequest(cluster, std::move(weights), false, deadline);
}

boost::asio::awaitable<base::Result<>> Tables::resume(std::string cluster) {
  {
    const Turn::Held held = co_await turns_.find(cluster)->second.take();
    if (journal_.at(cluster).phase != ChangePhase::kStable) {
      auto finished = co_await drive(cluster, false);
      if (!finished.ok() && finished.code() != base::ErrorCode::kRefused)
        co_return finished.error();
    }
  }
  if (journal_.at(cluster).committed.epoch == 0) {
    const bool sure = co_await ask_all(cluster);
    if (!sure) {
      co_return base::Error(base::ErrorCode::kUnavailable,
                            "not every proxy and backend of " + cluster + " answers yet");
    }
  }
  // A store that was lost or is an older copy: the coordinator puts that right first.
  if (is_behind(cluster)) {
    co_return base::Error(base::ErrorCode::kUnavailable,
                          "the store knows less of " + cluster + " than its proxies and backends");
  }
  TableRequest request = wanted(cluster);
  auto changed = co_await change(std::move(request));
  if (!changed.ok()) co_return changed.error();
  co_return base::Done{};
}

ChangeBlockers Tables::blockers(std::string_view cluster) const {
  const auto at = active_.find(cluster);
  if (at == active_.end()) return ChangeBlockers();
  return at->second->change.blockers(timers_.clock().now());
}

}  // namespace agent::coord
