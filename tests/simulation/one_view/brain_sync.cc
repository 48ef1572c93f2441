// Brain: proxies are brought to the wanted state (proxy_sync.cc, the proxies' side of reconciler.cc).
#include "tests/simulation/one_view/brain.h"

namespace one_view {

namespace {
constexpr Duration kStatusTimeout = 200ms;
constexpr Duration kStepTimeout = 300ms;
constexpr Duration kConfigureTimeout = 2s;
}  // namespace

void Brain::take_turn(Peer& peer, Work work) {
  peer.turn.push_back(std::move(work));
  if (peer.busy) return;
  peer.busy = true;
  Work first = std::move(peer.turn.front());
  peer.turn.pop_front();
  first();
}

void Brain::end_turn(Peer& peer) {
  if (peer.turn.empty()) {
    peer.busy = false;
    return;
  }
  Work next = std::move(peer.turn.front());
  peer.turn.pop_front();
  soon(0ns, std::move(next));
}

void Brain::sync(size_t proxy, bool ask, Work then) {
  Peer& peer = peers_[proxy];
  take_turn(peer, [this, proxy, ask, &peer, then = std::move(then)] {
    Work ended = [this, &peer, then] {
      end_turn(peer);
      then();
    };
    if (ask || !peer.known) {
      sync_status(proxy, std::move(ended));
    } else {
      sync_tenants(proxy, std::move(ended));
    }
  });
}

// One verb. Whatever is not a plain success leaves nothing known.
void Brain::call(size_t proxy, Call call, Duration timeout,
                 std::function<void(Failure, const ProxyStatus&)> then) {
  Peer& peer = peers_[proxy];
  SimProxy& target = *world_.proxies[proxy];
  const auto open = std::make_shared<bool>(true);
  auto ends = [&peer, open, life = peer.life, then = std::move(then)](Failure failure,
                                                                      const ProxyStatus& status) {
    if (!std::exchange(*open, false)) return;
    if (peer.life != life) return then(Failure::kNotSent, status);
    if (failure != Failure::kNone) peer.known.reset();
    then(failure, status);
  };
  if (!target.process.alive) {
    return soon(simulation().latency(), [ends] { ends(Failure::kNotSent, ProxyStatus()); });
  }
  soon(timeout, [ends] { ends(Failure::kUnknown, ProxyStatus()); });
  // The answer reaches only the agent that asked: the event is bound to its life here.
  const uint64_t life = controller_.process.life;
  call.answered = [life, proxy, ends, controller = &controller_, world = &world_](
                      bool accepted, ProxyStatus status) {
    if (!controller->process.alive || controller->process.life != life) return;
    const Duration wait = world->simulation.latency(world->to_proxies[proxy]);
    world->simulation.after(wait, controller->process, [ends, accepted, status] {
      ends(accepted ? Failure::kNone : Failure::kRefused, status);
    });
  };
  const Duration wait = simulation().latency(world_.to_proxies[proxy]);
  simulation().after(wait, target.process,
                     [&target, call = std::move(call)] { target.call(call); });
}

void Brain::sync_status(size_t proxy, Work then) {
  Call request;
  call(proxy, std::move(request), kStatusTimeout,
       [this, proxy, then = std::move(then)](Failure failure, const ProxyStatus& status) {
         if (failure != Failure::kNone) return then();
         Peer& peer = peers_[proxy];
         if (peer.instance != status.instance) {
           peer.instance = status.instance;
           peer.configured = false;
         }
         peer.known = status;
         sync_tenants(proxy, then);
       });
}

void Brain::sync_tenants(size_t proxy, Work then) {
  if (peers_[proxy].configured) return sync_flushes(proxy, std::move(then));
  configure(
      proxy, [this, proxy, then] { sync_flushes(proxy, then); }, then);
}

void Brain::configure(size_t proxy, Work next, Work then) {
  Call request;
  request.verb = Call::Verb::kConfigure;
  for (const auto& [id, generation] : memory_.generations) {
    proxy::tenant::Cache cache;
    cache.id = id;
    cache.generation = generation;
    cache.flushed_at = memory_.flushed_at[id];
    request.caches.push_back(std::move(cache));
  }
  request.sequence = memory_.flush_sequence;
  request.completed = completed_flush_;
  const uint64_t sequence = request.sequence, completed = request.completed;
  call(proxy, std::move(request), kConfigureTimeout,
       [this, proxy, sequence, completed, next = std::move(next), then = std::move(then)](
           Failure failure, const ProxyStatus&) {
         if (failure != Failure::kNone) return then();
         Peer& peer = peers_[proxy];
         peer.configured = true;
         peer.known->flush_sequence = std::max(peer.known->flush_sequence, sequence);
         peer.known->completed_flush = std::max(peer.known->completed_flush, completed);
         next();
       });
}

void Brain::sync_flushes(size_t proxy, Work then) {
  const uint64_t has = peers_[proxy].known->flush_sequence;
  if (has >= memory_.flush_sequence) return sync_completion(proxy, std::move(then));
  const auto step = flushes_.find(has + 1);
  Work again = [this, proxy, then] { sync_flushes(proxy, then); };
  if (step == flushes_.end()) return configure(proxy, std::move(again), std::move(then));
  Call request;
  request.verb = Call::Verb::kFlush;
  proxy::tenant::Cache cache;
  cache.id = step->second.first;
  cache.generation = step->second.second;
  request.caches.push_back(std::move(cache));
  request.sequence = has + 1;
  call(proxy, std::move(request), kStepTimeout,
       [this, proxy, has, again = std::move(again), then = std::move(then)](Failure failure,
                                                                            const ProxyStatus&) {
         if (failure != Failure::kNone) return then();
         peers_[proxy].known->flush_sequence = has + 1;
         again();
       });
}

void Brain::sync_completion(size_t proxy, Work then) {
  const uint64_t completed = completed_flush_;
  if (peers_[proxy].known->completed_flush >= completed) {
    return sync_tables(proxy, std::move(then));
  }
  Call request;
  request.verb = Call::Verb::kComplete;
  request.completed = completed;
  call(proxy, std::move(request), kStepTimeout,
       [this, proxy, completed, then = std::move(then)](Failure failure, const ProxyStatus&) {
         if (failure != Failure::kNone) return then();
         peers_[proxy].known->completed_flush = completed;
         sync_tables(proxy, then);
       });
}

void Brain::sync_tables(size_t proxy, Work then) {
  const base::Epoch committed = memory_.committed->epoch;
  const base::Epoch prepared = memory_.prepared ? memory_.prepared->epoch : 0;
  const ProxyStatus& status = *peers_[proxy].known;
  if (status.committed > committed && status.committed != prepared) return then();
  if (status.prepared <= committed || status.prepared == prepared) {
    return sync_committed(proxy, committed, prepared, std::move(then));
  }
  Call request;
  request.verb = Call::Verb::kAbort;
  request.epoch = status.prepared;
  call(proxy, std::move(request), kStepTimeout,
       [this, proxy, committed, prepared, then = std::move(then)](Failure failure,
                                                                  const ProxyStatus&) {
         if (failure != Failure::kNone) return then();
         peers_[proxy].known->prepared = 0;
         sync_committed(proxy, committed, prepared, then);
       });
}

void Brain::sync_committed(size_t proxy, base::Epoch committed, base::Epoch prepared, Work then) {
  const ProxyStatus& status = *peers_[proxy].known;
  if (status.committed >= committed) return sync_prepared(proxy, prepared, std::move(then));
  Call request;
  if (status.prepared != committed) {
    request.verb = Call::Verb::kPrepare;
    request.table = memory_.committed;  // as tables.cc: the newest, whatever `committed` said
  } else {
    request.verb = Call::Verb::kCommit;
    request.epoch = committed;
  }
  const bool preparing = request.verb == Call::Verb::kPrepare;
  call(proxy, std::move(request), kStepTimeout,
       [this, proxy, committed, prepared, preparing, then = std::move(then)](Failure failure,
                                                                             const ProxyStatus&) {
         if (failure != Failure::kNone) return then();
         ProxyStatus& known = *peers_[proxy].known;
         known.prepared = preparing ? committed : 0;
         if (!preparing) known.committed = committed;
         sync_committed(proxy, committed, prepared, then);
       });
}

void Brain::sync_prepared(size_t proxy, base::Epoch prepared, Work then) {
  const ProxyStatus& status = *peers_[proxy].known;
  if (!memory_.prepared || memory_.prepared->epoch != prepared) return then();
  if (status.prepared == prepared || status.committed >= prepared) return then();
  Call request;
  request.verb = Call::Verb::kPrepare;
  request.table = memory_.prepared;
  call(proxy, std::move(request), kStepTimeout,
       [this, proxy, prepared, then = std::move(then)](Failure failure, const ProxyStatus&) {
         if (failure == Failure::kNone) peers_[proxy].known->prepared = prepared;
         then();
       });
}

bool Brain::in_step(size_t proxy) const {
  const Peer& peer = peers_[proxy];
  if (!peer.known || !peer.configured) return false;
  if (peer.known->flush_sequence < memory_.flush_sequence) return false;
  if (peer.known->completed_flush < completed_flush_) return false;
  if (memory_.prepared) {
    const base::Epoch epoch = memory_.prepared->epoch;
    return peer.known->prepared == epoch || peer.known->committed >= epoch;
  }
  return peer.known->committed == memory_.committed->epoch && peer.known->prepared == 0;
}

bool Brain::acknowledged_epoch(size_t proxy, base::Epoch epoch) const {
  const auto& known = peers_[proxy].known;
  return known && (known->committed >= epoch || known->prepared == epoch);
}

bool Brain::acknowledged_flush(size_t proxy, uint64_t sequence) const {
  const auto& known = peers_[proxy].known;
  return known && known->flush_sequence >= sequence;
}

bool Brain::acknowledged_completion(size_t proxy, uint64_t sequence) const {
  const auto& known = peers_[proxy].known;
  return known && known->completed_flush >= sequence;
}

void Brain::proxy_changed(size_t proxy) {
  Peer& peer = peers_[proxy];
  ++peer.life;
  peer.configured = false;
  peer.known.reset();
}

void Brain::watch_proxy(size_t proxy, Instant ask_at) {
  const bool asking = now() >= ask_at;
  if (!world_.proxies[proxy]->process.alive || (!asking && in_step(proxy))) {
    return soon(kLookEvery, [this, proxy, ask_at] { watch_proxy(proxy, ask_at); });
  }
  sync(proxy, asking, [this, proxy, asking, ask_at] {
    const Instant next = asking ? now() + kReconcileEvery : ask_at;
    soon(kLookEvery, [this, proxy, next] { watch_proxy(proxy, next); });
  });
}

}  // namespace one_view
