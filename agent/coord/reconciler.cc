#include "agent/coord/reconciler.h"

#include "base/core/check.h"
#include "base/telemetry/log.h"

namespace agent::coord {

Reconciler::Reconciler(boost::asio::any_io_executor executor, Region& region,
                       const TableJournal& journal, ProxySync& sync, FenceRecords& fences,
                       ProcessControl& processes, base::Timers& timers, base::Gate& gate)
    : executor_(std::move(executor)),
      region_(region),
      journal_(journal),
      sync_(sync),
      fences_(fences),
      processes_(processes),
      timers_(timers),
      gate_(gate) {}

void Reconciler::start() {
  for (const ClusterSpec& cluster : region_.spec().clusters) {
    for (const ProxySpec& proxy : cluster.proxies) {
      base::spawn(executor_, gate_, "watch proxy", watch_proxy(proxy.id));
    }
    for (const BackendSpec& backend : cluster.backends) {
      base::spawn(executor_, gate_, "watch backend", watch_backend(backend.id));
    }
  }
}

boost::asio::awaitable<void> Reconciler::watch_proxy(std::string proxy) {
  base::Instant ask_at = timers_.clock().now();
  while (!gate_.closed()) {
    const bool ask = timers_.clock().now() >= ask_at;
    if (processes_.running(proxy) && (ask || !sync_.in_step(proxy))) {
      auto synced = co_await sync_.sync(proxy, ask);
      if (ask) ask_at = timers_.clock().now() + kReconcileEvery;
      if (!synced.ok()) {
        base::log::info("proxy_out_of_step", {{"proxy", proxy}, {"error", synced.error()}});
      }
    }
    judge(proxy);
    co_await timers_.wait_for(kLookEvery);
  }
}

// The live state, by what is known now. A drain and an end are told by those who bring them about.
void Reconciler::judge(const std::string& proxy) {
  const Process& process = *region_.process(proxy);
  if (process.pid == 0) return;
  const KnownProxy& known = sync_.known(proxy);
  if (known.status && known.status->draining) {
    region_.set_state(proxy, ProcessState::kDraining);
  } else if (known.silent_since.ns != 0) {
    // A process that has not opened its control socket yet is starting, for a while.
    const bool starting = process.state == ProcessState::kStarting;
    const base::Duration patience = starting ? kStartPatience : kStuckAfter;
    if (timers_.clock().now() >= known.silent_since + patience) {
      region_.set_state(proxy, ProcessState::kStuck);
    }
  } else if (sync_.in_step(proxy) && journal_.at(process.cluster).committed.epoch != 0) {
    region_.set_state(proxy, ProcessState::kUp);
  }
}

boost::asio::awaitable<void> Reconciler::watch_backend(std::string backend) {
  const std::string cluster = region_.cluster_of(backend)->name;
  base::Instant check_at = timers_.clock().now();
  while (!gate_.closed()) {
    // While a change is decided only Tables raises records of its owners, since a record may be
    // what forbids the way back. A new process needs its record all the same.
    const FenceRecord wanted = fences_.wanted(cluster);
    const bool fresh = !fences_.held_since(backend, FenceRecord());
    const bool stable = journal_.at(cluster).phase == ChangePhase::kStable;
    const bool behind = stable && !fences_.held_since(backend, wanted);
    const bool due = stable && timers_.clock().now() >= check_at;
    if (wanted.epoch != 0 && processes_.running(backend) && (fresh || behind || due)) {
      auto raised = co_await fences_.raise(backend);
      check_at = timers_.clock().now() + kReconcileEvery;
      if (!raised.ok()) {
        base::log::info("fence_not_raised", {{"backend", backend}, {"error", raised.error()}});
        co_await timers_.wait_for(kRaiseAgain);
      }
    }
    co_await timers_.wait_for(kLookEvery);
  }
}

boost::asio::awaitable<base::Result<>> Reconciler::wait_in_step(std::string proxy,
                                                                base::Instant deadline) {
  while (!gate_.closed()) {
    if (sync_.in_step(proxy)) co_return base::Done{};
    if (timers_.clock().now() >= deadline) break;
    co_await timers_.wait_for(kWaitLook);
  }
  const KnownProxy& known = sync_.known(proxy);
  co_return base::Error(base::ErrorCode::kTimeout,
                        proxy + (known.status ? " is not in step with its cluster yet"
                                              : " does not answer its control socket"),
                        base::Origin::kBackend);
}

}  // namespace agent::coord
