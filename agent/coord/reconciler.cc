#include "agent/coord/reconciler.h"

#include <algorithm>
#include <utility>

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
      gate_(gate) {
  for (const ClusterSpec& cluster : region_.spec().clusters) {
    for (const ProxySpec& proxy : cluster.proxies) proxies_.push_back({proxy.id, cluster.name});
    for (const BackendSpec& backend : cluster.backends) {
      backends_.push_back({backend.id, cluster.name});
    }
  }
}

void Reconciler::start() {
  base::spawn(executor_, gate_, "reconcile", watch());
}

boost::asio::awaitable<void> Reconciler::watch() {
  while (!gate_.closed()) {
    bool well = true;
    for (Member& proxy : proxies_) well = look_at_proxy(proxy) && well;
    Demand demand;
    const std::string* cluster = nullptr;  // whose demand it is; backends are listed by cluster
    bool is_new = false;                   // the demand
    for (Member& backend : backends_) {
      if (cluster == nullptr || *cluster != backend.cluster) {
        cluster = &backend.cluster;
        demand.record = fences_.wanted(*cluster);
        demand.stable = journal_.at(*cluster).phase == ChangePhase::kStable;
        demand.losses = fences_.loss_count();
        is_new = std::exchange(demands_[*cluster], demand) != demand;
      }
      if (is_new) backend.calm_until = base::Instant();
      if (timers_.clock().now() < backend.calm_until) continue;
      well = look_at_backend(backend, demand) && well;
    }
    co_await timers_.wait_for_beat(well ? kLookEvery : kLookAgain);
  }
}

bool Reconciler::look_at_proxy(Member& proxy) {
  const bool in_step = sync_.in_step(proxy.id);
  if (proxy.tended) return in_step;
  const bool ask = timers_.clock().now() >= proxy.due && !(in_step && is_vouched(proxy));
  if ((ask || !in_step) && processes_.running(proxy.id)) {
    proxy.tended = true;
    base::spawn(executor_, gate_, "tend proxy", tend_proxy(proxy, ask));
  } else {
    judge(proxy.id);
  }
  return in_step;
}

// What the call would tell is seen already: it is put off by a second.
bool Reconciler::is_vouched(Member& proxy) {
  const base::Instant now = timers_.clock().now();
  const KnownProxy& known = sync_.known(proxy.id);
  if (!witness_ || !known.status || known.silent_since.ns != 0) return false;
  if (now - proxy.asked >= kAskVouchedEvery || !witness_(proxy.id, *known.status)) return false;
  proxy.due = now + kReconcileEvery;
  return true;
}

boost::asio::awaitable<void> Reconciler::tend_proxy(Member& proxy, bool ask) {
  auto synced = co_await sync_.sync(proxy.id, ask);
  if (ask) {
    proxy.asked = timers_.clock().now();
    proxy.due = proxy.asked + kReconcileEvery;
  }
  if (!synced.ok()) {
    base::log::info("proxy_out_of_step", {{"proxy", proxy.id}, {"error", synced.error()}});
  }
  judge(proxy.id);
  proxy.tended = false;
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

// A record that is held is read once a second, whether it is still there. Each probe reads it, too: one
// that found it saves that call, one that did not hastens it. A probe alone makes no record held: it
// may be of a process that has ended since.
void Reconciler::take_probe(Member& backend, const Demand& demand) {
  const auto read = fences_.probed_after(backend.id, backend.looked);
  if (!read) return;
  backend.looked = read->asked;
  const bool there = read->record && read->record->covers(demand.record);
  // A look later than the call would be due, since the next probe is on its way then.
  backend.due = there ? read->asked + kReconcileEvery + kLookEvery : timers_.clock().now();
}

// While a change is decided only Tables raises records of its owners, since a record may be what
// forbids the way back. A new process needs its record all the same.
bool Reconciler::look_at_backend(Member& backend, const Demand& demand) {
  const bool held = fences_.held_since(backend.id, demand.record).has_value();
  const base::Instant now = timers_.clock().now();
  if (held && demand.stable && !backend.tended) take_probe(backend, demand);
  const bool fresh = !held && !fences_.held_since(backend.id, FenceRecord());
  const bool wants = fresh || (demand.stable && (!held || now >= backend.due));
  if (held && !wants && demand.stable) {
    backend.calm_until = std::min(now + kLookAtCalmEvery, backend.due);
  }
  if (!wants || backend.tended || now < backend.patience) return held;
  if (demand.record.epoch != 0 && processes_.running(backend.id)) {
    backend.tended = true;
    base::spawn(executor_, gate_, "tend backend", tend_backend(backend));
  }
  return held;
}

boost::asio::awaitable<void> Reconciler::tend_backend(Member& backend) {
  auto raised = co_await fences_.raise(backend.id);
  const base::Instant now = timers_.clock().now();
  backend.due = now + kReconcileEvery;
  backend.looked = now;
  if (!raised.ok()) {
    base::log::info("fence_not_raised", {{"backend", backend.id}, {"error", raised.error()}});
    backend.patience = now + kRaiseAgain;
  }
  backend.tended = false;
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
