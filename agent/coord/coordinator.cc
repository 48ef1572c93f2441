#include "agent/coord/coordinator.h"

#include "base/telemetry/log.h"

namespace agent::coord {
namespace {
constexpr base::Duration kTablesRetry = std::chrono::milliseconds(50);
constexpr base::Duration kStoreLook = std::chrono::milliseconds(300);
constexpr base::Duration kStoreAgain = std::chrono::milliseconds(100);  // after a failure
}  // namespace

Coordinator::Coordinator(const Surroundings& around)
    : around_(around),
      tenants_(around.executor, around.region, around.store, around.box, around.timers.clock()),
      fence_gate_(around.executor, around.store),
      journal_(around.region, around.store),
      fences_(around.region, journal_, tenants_, around.backends, around.timers.clock()),
      sync_(around.executor, around.region, journal_, tenants_, fence_gate_, around.proxies,
            around.timers.clock()),
      tables_(around.executor, around.region, journal_, tenants_, sync_, fences_, around.backends,
              around.processes, around.timers, around.gate),
      flushes_(around.executor, around.region, around.store, tenants_, sync_, fences_,
               around.processes, around.timers, around.gate),
      reconciler_(around.executor, around.region, journal_, sync_, fences_, around.processes,
                  around.timers, around.gate) {}

boost::asio::awaitable<base::Result<>> Coordinator::load() {
  auto loaded = co_await fence_gate_.load();
  if (loaded.ok()) loaded = co_await journal_.load();
  if (loaded.ok()) loaded = co_await tenants_.load();
  co_return loaded;
}

boost::asio::awaitable<base::Result<>> Coordinator::start() {
  auto flushes = co_await flushes_.resume();
  if (!flushes.ok()) co_return flushes;
  for (const ClusterSpec& cluster : around_.region.spec().clusters) {
    base::spawn(around_.executor, around_.gate, "resume tables", resume_tables(cluster.name));
    base::spawn(around_.executor, around_.gate, "watch store", watch_store(cluster.name));
  }
  reconciler_.start();
  co_return base::Done{};
}

boost::asio::awaitable<void> Coordinator::resume_tables(std::string cluster) {
  while (!around_.gate.closed()) {
    auto resumed = co_await tables_.resume(cluster);
    if (resumed.ok()) break;
    base::log::info("tables_not_resumed", {{"cluster", cluster}, {"error", resumed.error()}});
    co_await around_.timers.wait_for(kTablesRetry);
  }
}

// Proxies and backends that know more than the store: it was lost, or is an older copy. The cluster's
// contents are given up, since nobody knows what of them is valid, and everything goes on above what
// was seen.
boost::asio::awaitable<void> Coordinator::watch_store(std::string cluster) {
  while (!around_.gate.closed()) {
    co_await around_.timers.wait_for_beat(kStoreLook);
    if (!tables_.is_behind(cluster)) continue;
    base::log::warn("store_is_behind", {{"cluster", cluster}, {"remedy", "flushed, new epoch"}});
    auto recovered = co_await flushes_.recover(cluster, tables_.seen_flush(cluster));
    if (!recovered.ok()) {
      base::log::warn("store_not_caught_up", {{"cluster", cluster}, {"error", recovered.error()}});
      continue;
    }
    while (!around_.gate.closed()) {
      auto rebuilt = co_await tables_.rebuild(cluster);
      // After a time-out it goes on by itself.
      if (rebuilt.ok() || rebuilt.code() == base::ErrorCode::kTimeout) break;
      base::log::warn("epoch_not_rebuilt", {{"cluster", cluster}, {"error", rebuilt.error()}});
      co_await around_.timers.wait_for(kStoreAgain);
    }
  }
}

bool Coordinator::ready(std::string* waiting_for) const {
  const auto wait_for = [&](std::string what) {
    if (waiting_for != nullptr) *waiting_for = std::move(what);
    return false;
  };
  for (const ClusterSpec& cluster : around_.region.spec().clusters) {
    if (journal_.at(cluster.name).committed.epoch == 0) {
      return wait_for("the first epoch of cluster " + cluster.name);
    }
    for (const ProxySpec& proxy : cluster.proxies) {
      if (!sync_.in_step(proxy.id)) return wait_for("proxy " + proxy.id);
    }
    FenceRecord any;
    any.epoch = 1;
    for (const BackendSpec& backend : cluster.backends) {
      if (journal_.at(cluster.name).weight_of(backend.id) == 0) continue;
      if (!fences_.held_since(backend.id, any)) return wait_for("backend " + backend.id);
    }
  }
  return true;
}

void Coordinator::on_process_changed(std::string_view id) {
  if (around_.region.proxy(id) != nullptr) sync_.forget(id);
  if (around_.region.backend(id) != nullptr) fences_.forget(id);
}

}  // namespace agent::coord
