#include "agent/coord/proxy_sync.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "base/core/check.h"
#include "base/telemetry/log.h"

namespace agent::coord {

ProxySync::ProxySync(boost::asio::any_io_executor executor, const Region& region,
                     const TableJournal& journal, const Tenants& tenants, FenceGate& gate,
                     ProxyControl& proxies, base::Clock& clock)
    : region_(region),
      journal_(journal),
      tenants_(tenants),
      gate_(gate),
      proxies_(proxies),
      clock_(clock) {
  for (const ClusterSpec& cluster : region.spec().clusters) {
    for (const ProxySpec& proxy : cluster.proxies) {
      peers_.emplace(proxy.id, Peer(executor, cluster.name));
    }
  }
}

ProxySync::Peer& ProxySync::peer(std::string_view proxy) {
  const auto at = peers_.find(proxy);
  CHECK(at != peers_.end());
  return at->second;
}

const KnownProxy& ProxySync::known(std::string_view proxy) const {
  const auto at = peers_.find(proxy);
  CHECK(at != peers_.end());
  return at->second.known;
}

void ProxySync::forget(std::string_view proxy) {
  Peer& each = peer(proxy);
  ++each.life;
  each.configured = false;
  each.known = KnownProxy();
}

FenceRecord ProxySync::seen(std::string_view cluster) const {
  FenceRecord newest;
  for (const auto& [id, each] : peers_) {
    if (each.cluster == cluster) newest.raise_to(each.seen);
  }
  return newest;
}

base::Epoch ProxySync::served(std::string_view cluster) const {
  base::Epoch newest = 0;
  for (const auto& [id, each] : peers_) {
    if (each.cluster != cluster || !each.known.status) continue;
    newest = std::max(newest, each.known.status->committed);
  }
  return newest;
}

bool ProxySync::acknowledged_epoch(std::string_view proxy, base::Epoch epoch) const {
  const KnownProxy& each = known(proxy);
  if (!each.status || each.status->committed > journal_.last_epoch(cluster_of(proxy))) return false;
  return each.status->committed >= epoch || each.status->prepared == epoch;
}

bool ProxySync::acknowledged_flush(std::string_view proxy, uint64_t sequence) const {
  const KnownProxy& each = known(proxy);
  if (!each.status) return false;
  const uint64_t newest = tenants_.version(cluster_of(proxy)).flush_sequence;
  return each.status->flush_sequence >= sequence && each.status->flush_sequence <= newest;
}

const std::string& ProxySync::cluster_of(std::string_view proxy) const {
  const auto at = peers_.find(proxy);
  CHECK(at != peers_.end());
  return at->second.cluster;
}

bool ProxySync::acknowledged_completion(std::string_view proxy, uint64_t sequence) const {
  const KnownProxy& each = known(proxy);
  return each.status && each.status->completed_flush >= sequence;
}

bool ProxySync::in_step(std::string_view proxy) const {
  const auto at = peers_.find(proxy);
  CHECK(at != peers_.end());
  const Peer& each = at->second;
  if (!each.known.status || !each.configured) return false;
  const ProxyStatus& status = *each.known.status;
  const TenantVersion version = tenants_.version(each.cluster);
  const ClusterTables& tables = journal_.at(each.cluster);
  if (status.config_generation != version.generation) return false;
  if (status.flush_sequence < version.flush_sequence) return false;
  if (status.completed_flush < tenants_.completed_flush(each.cluster)) return false;
  if (tables.prepared) {
    return status.prepared == tables.prepared->epoch || status.committed >= tables.prepared->epoch;
  }
  return status.committed == tables.committed.epoch && status.prepared == 0;
}

boost::asio::awaitable<base::Result<>> ProxySync::sync(std::string proxy, bool ask) {
  Peer& each = peer(proxy);
  const Turn::Held held = co_await each.turn.take();
  if (ask || !each.known.status) {
    auto asked = co_await ask_status(proxy);
    if (!asked.ok()) co_return asked;
  }
  auto done = co_await sync_tenants(proxy);
  if (done.ok()) done = co_await sync_flushes(proxy);
  if (done.ok()) done = co_await sync_completion(proxy);
  if (done.ok()) done = co_await sync_tables(proxy);
  co_return done;
}

// One verb. Whatever is not a plain success leaves nothing known, so that the next sync asks.
boost::asio::awaitable<base::Result<boost::json::value>> ProxySync::call(const std::string& proxy,
                                                                         std::string verb,
                                                                         boost::json::object args,
                                                                         base::Duration timeout) {
  Peer& each = peer(proxy);
  const uint64_t life = each.life;
  const uint64_t fence = verb == "status" ? 0 : gate_.highest(cluster_lock(each.cluster));
  const std::string name = verb;
  ProxyCall request(proxy, std::move(verb), fence, std::move(args), timeout);
  auto answer = co_await proxies_.call(std::move(request));
  if (each.life != life) {
    co_return base::Error(base::ErrorCode::kUnavailable, proxy + " was restarted meanwhile",
                          base::Origin::kBackend, base::Retry::kSafe);
  }
  if (answer.ok()) {
    each.known.answered = clock_.now();
    each.known.silent_since = base::Instant();
    co_return answer;
  }
  each.known.status.reset();
  const base::ErrorCode code = answer.code();
  if (code == base::ErrorCode::kUnavailable || code == base::ErrorCode::kTimeout ||
      code == base::ErrorCode::kUnknown) {
    if (each.known.silent_since.ns == 0) each.known.silent_since = clock_.now();
  } else {
    each.known.answered = clock_.now();
    each.known.silent_since = base::Instant();
    base::log::warn("proxy_refused_call",
                    {{"proxy", proxy}, {"verb", name}, {"error", answer.error()}});
  }
  co_return answer;
}

ProxySync::Answer ProxySync::ask_status(const std::string& proxy) {
  boost::json::object nothing;
  auto answer = co_await call(proxy, "status", std::move(nothing), kStatusTimeout);
  if (!answer.ok()) co_return answer.error();
  auto status = parse_proxy_status(*answer);
  if (!status.ok()) co_return status.error();
  Peer& each = peer(proxy);
  if (each.instance != status->instance) {
    each.instance = status->instance;
    each.configured = false;
  }
  const std::string lock = cluster_lock(each.cluster);
  if (status->fence > gate_.highest(lock)) {
    base::log::warn("fence_ahead_of_store", {{"proxy", proxy}, {"fence", status->fence}});
    gate_.raise_floor(lock, status->fence);
  }
  FenceRecord has;
  has.epoch = std::max(status->committed, status->prepared);
  has.flush_sequence = std::max(status->flush_sequence, status->completed_flush);
  each.seen.raise_to(has);
  each.known.status = std::move(*status);
  co_return base::Done{};
}

ProxySync::Answer ProxySync::sync_tenants(const std::string& proxy) {
  Peer& each = peer(proxy);
  // The first contact with an instance configures it whatever generation it names: the definition
  // of the region (addresses, links) may have changed since it wrote its state.
  if (!each.configured) co_return co_await configure(proxy);
  const uint64_t wanted = tenants_.version(each.cluster).generation;
  if (each.known.status->config_generation == wanted) co_return base::Done{};
  auto delta = tenants_.delta(each.cluster, each.known.status->config_generation);
  if (!delta) co_return co_await configure(proxy);
  auto answer = co_await call(proxy, "change", std::move(*delta), kConfigureTimeout);
  if (answer.ok()) {
    each.known.status->config_generation = wanted;
    co_return base::Done{};
  }
  if (answer.code() != base::ErrorCode::kConflict) co_return answer.error();
  auto asked = co_await ask_status(proxy);
  if (!asked.ok()) co_return asked;
  co_return co_await configure(proxy);
}

ProxySync::Answer ProxySync::configure(const std::string& proxy) {
  Peer& each = peer(proxy);
  const ClusterSpec& cluster = *region_.cluster(each.cluster);
  const TenantVersion version = tenants_.version(each.cluster);
  boost::json::object args = tenants_.full(each.cluster);
  boost::json::array backends;
  for (const BackendSpec& backend : cluster.backends) {
    boost::json::object entry;
    entry["id"] = backend.id;
    entry["address"] = backend.address;
    if (!backend.is_unix()) entry["port"] = region_.link_port(cluster, proxy);
    backends.push_back(std::move(entry));
  }
  args["backends"] = std::move(backends);
  args["generation"] = version.generation;
  args["flush_sequence"] = version.flush_sequence;
  const uint64_t completed = tenants_.completed_flush(each.cluster);
  args["completed_flush"] = completed;
  auto answer = co_await call(proxy, "configure", std::move(args), kConfigureTimeout);
  if (!answer.ok()) co_return answer.error();
  each.configured = true;
  each.known.status->config_generation = version.generation;
  if (each.known.status->flush_sequence < version.flush_sequence) {
    each.known.status->flush_sequence = version.flush_sequence;
  }
  if (each.known.status->completed_flush < completed) {
    each.known.status->completed_flush = completed;
  }
  co_return base::Done{};
}

// In order and without gaps: a proxy's flush sequence says that it has every flush up to there.
ProxySync::Answer ProxySync::sync_flushes(const std::string& proxy) {
  Peer& each = peer(proxy);
  while (each.known.status->flush_sequence < tenants_.version(each.cluster).flush_sequence) {
    const FlushStep* step = tenants_.flush_after(each.cluster, each.known.status->flush_sequence);
    if (step == nullptr || step->caches.size() != 1) {
      auto configured = co_await configure(proxy);
      if (!configured.ok()) co_return configured;
      continue;
    }
    const uint64_t sequence = step->sequence;
    boost::json::object args;
    args["cache"] = step->caches.front().first;
    args["generation"] = step->caches.front().second;
    args["sequence"] = sequence;
    auto answer = co_await call(proxy, "flush", std::move(args), kStepTimeout);
    if (!answer.ok()) co_return answer.error();
    each.known.status->flush_sequence = sequence;
  }
  co_return base::Done{};
}

ProxySync::Answer ProxySync::sync_completion(const std::string& proxy) {
  Peer& each = peer(proxy);
  const uint64_t completed = tenants_.completed_flush(each.cluster);
  if (each.known.status->completed_flush >= completed) co_return base::Done{};
  boost::json::object args;
  args["sequence"] = completed;
  auto answer = co_await call(proxy, "flush.complete", std::move(args), kStepTimeout);
  if (!answer.ok()) co_return answer.error();
  each.known.status->completed_flush = completed;
  co_return base::Done{};
}

ProxySync::Answer ProxySync::sync_tables(const std::string& proxy) {
  Peer& each = peer(proxy);
  const ClusterTables& tables = journal_.at(each.cluster);
  const base::Epoch committed = tables.committed.epoch;
  const base::Epoch prepared = tables.prepared ? tables.prepared->epoch : 0;
  const ProxyStatus& status = *each.known.status;
  if (status.committed > std::max(committed, prepared)) {
    co_return base::Error(base::ErrorCode::kConflict,
                          proxy + " has epoch " + std::to_string(status.committed) +
                              ", the store only " + std::to_string(committed) +
                              ": the store is an older copy");
  }
  // Only what is newer than the committed epoch was rolled back. An older one was committed while the
  // proxy was away: aborted, it would stay known there, and the fence record that names it would
  // confirm the table before it. The committed table supersedes it.
  if (status.prepared > committed && status.prepared != prepared) {
    auto aborted = co_await abort(proxy, status.prepared);
    if (!aborted.ok()) co_return aborted;
  }
  if (each.known.status->committed < committed) {
    if (each.known.status->prepared != committed) {
      auto ready = co_await prepare(proxy, tables.committed_json, committed);
      if (!ready.ok()) co_return ready;
    }
    auto done = co_await commit(proxy, committed);
    if (!done.ok()) co_return done;
  }
  // Looked up again: the change may have been decided while the calls above were under way.
  const ClusterTables& now = journal_.at(each.cluster);
  if (!now.prepared || now.prepared->epoch != prepared) co_return base::Done{};
  if (each.known.status->prepared == prepared || each.known.status->committed >= prepared) {
    co_return base::Done{};
  }
  co_return co_await prepare(proxy, now.prepared_json, prepared);
}

ProxySync::Answer ProxySync::prepare(const std::string& proxy, std::string table,
                                     base::Epoch epoch) {
  boost::json::object args;
  args["table"] = boost::json::parse(table);
  auto answer = co_await call(proxy, "epoch.prepare", std::move(args), kStepTimeout);
  if (!answer.ok()) co_return answer.error();
  peer(proxy).known.status->prepared = epoch;
  co_return base::Done{};
}

ProxySync::Answer ProxySync::commit(const std::string& proxy, base::Epoch epoch) {
  boost::json::object args;
  args["epoch"] = epoch;
  auto answer = co_await call(proxy, "epoch.commit", std::move(args), kStepTimeout);
  if (!answer.ok()) co_return answer.error();
  ProxyStatus& status = *peer(proxy).known.status;
  status.committed = epoch;
  status.prepared = 0;
  co_return base::Done{};
}

ProxySync::Answer ProxySync::abort(const std::string& proxy, base::Epoch epoch) {
  boost::json::object args;
  args["epoch"] = epoch;
  auto answer = co_await call(proxy, "epoch.abort", std::move(args), kStepTimeout);
  if (!answer.ok()) co_return answer.error();
  peer(proxy).known.status->prepared = 0;
  co_return base::Done{};
}

}  // namespace agent::coord
