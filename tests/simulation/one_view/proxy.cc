#include "tests/simulation/one_view/proxy.h"

#include <algorithm>

#include "base/core/text.h"
#include "base/memcache/fence_record.h"
#include "base/memcache/stored_key.h"

namespace one_view {

using proxy::ring::FenceWatch;
using proxy::ring::Hold;
using proxy::ring::SlotEntry;

namespace {

constexpr Duration kTick = 20ms;
constexpr Duration kConnectTimeout = 500ms;
constexpr Duration kRequestTimeout = 1s;

}  // namespace

SimProxy::SimProxy(Simulation& simulation, Tables& tables, const Mutation& mutation, std::string id,
                   std::vector<Backend*> backends, TablePtr committed,
                   proxy::tenant::DirectoryPtr directory)
    : process(std::move(id)),
      simulation_(simulation),
      tables_(tables),
      mutation_(mutation),
      backends_(std::move(backends)) {
  disk_.known = committed->epoch;
  disk_.committed = std::move(committed);
  disk_.directory = std::move(directory);
  begin();
}

void SimProxy::begin() {
  ring_ = proxy::ring::Ring(disk_.committed, mutation_.forget_prepared ? nullptr : disk_.prepared,
                            mutation_.forget_prepared ? disk_.committed->epoch : disk_.known);
  directory_ = disk_.directory;
  calls_.clear();
  calling_ = false;
  for (size_t i = 0; i < kWorkers; ++i) {
    Worker& worker = workers_[i];
    worker = Worker();
    worker.index = i;
    worker.view = tables_.view(ring_.committed(), ring_.prepared(), ring_.known());
    worker.directory = directory_;
    worker.known = {worker.view->known, directory_->flush_sequence()};
    simulation_.after(simulation_.chance().between(0us, kTick), process, [&] { tick(worker); });
  }
  publications_.clear();
  posted_ = 0;
  confirmed_ = present();
}

void SimProxy::kill() {
  if (!process.alive) return;
  simulation_.kill(process);
  for (Worker& worker : workers_) {
    for (Link& link : worker.links) {
      if (link.wire) link.wire->close();
    }
  }
}

void SimProxy::start() {
  if (process.alive) return;
  simulation_.start(process);
  begin();
}

std::string SimProxy::state() const {
  std::string text = "committed " + std::to_string(ring_.committed_epoch()) + " prepared " +
                     std::to_string(ring_.prepared_epoch()) + " known " +
                     std::to_string(ring_.known()) + " flushes " +
                     std::to_string(directory_->flush_sequence()) + "/" +
                     std::to_string(directory_->completed_flush()) + " workers at";
  for (const Worker& worker : workers_) text += " " + std::to_string(worker.installed);
  return text + " of " + std::to_string(posted_);
}

// ---- Workers

Hold SimProxy::check(const Worker& worker, const Link& link, Instant now) const {
  const Hold hold = link.fence.check(now - mutation_.fence_slack, worker.known, worker.seen);
  return mutation_.confirm_missing && hold == Hold::kMissing ? Hold::kNone : hold;
}

void SimProxy::tick(Worker& worker) {
  const Instant now = simulation_.now();
  worker.ticked_before = std::exchange(worker.ticked, now);
  for (size_t i = 0; i < backends_.size(); ++i) {
    Link& link = worker.links[i];
    switch (link.state) {
      case Link::State::kDown:
        if (now >= link.at) connect(worker, i);
        break;
      case Link::State::kProbing:
        if (now >= link.at) lose(link);
        break;
      case Link::State::kUp:
        if (!link.in_flight.empty() && now - link.in_flight.front().sent > kRequestTimeout) {
          lose(link);
        } else if (now >= link.next_fence) {
          ask_fence(link);
        }
        break;
    }
  }
  simulation_.after(kTick, process, [this, &worker] { tick(worker); });
}

void SimProxy::connect(Worker& worker, size_t backend) {
  Link& link = worker.links[backend];
  link.wire = Wire::connect(
      simulation_, *backends_[backend], process, lines[backend],
      [this, &worker, backend](Reply reply) { receive(worker, backend, std::move(reply)); });
  if (link.wire == nullptr) {
    link.at = simulation_.now() +
              std::max(link.backoff.lost(simulation_.now()), proxy::health::kFirstDelay);
    return;
  }
  link.state = Link::State::kProbing;
  link.at = simulation_.now() + kConnectTimeout;
  ask_fence(link);
}

void SimProxy::ask_fence(Link& link) {
  Request request;
  request.key = base::memcache::kFenceKey;
  link.wire->send(std::move(request));
  Pending pending;
  pending.sent = simulation_.now();
  link.in_flight.push_back(std::move(pending));
  link.next_fence = simulation_.now() + proxy::ring::kFenceInterval;
}

// Router::send.
void SimProxy::take(size_t index, OperationPtr operation) {
  Worker& worker = workers_[index];
  const SlotEntry& entry = worker.view->slots[operation->slot];
  const auto* cache = worker.directory->caches.find(operation->cache);
  // Client::send_key.
  const bool waits = operation->value != 0 && worker.directory->is_flushing(*cache);
  if (waits && !mutation_.write_early) return answer(operation, 0, false);
  if (entry.moving && !mutation_.serve_moving) return answer(operation, 0, false);
  if (entry.backend == proxy::ring::kNoBackend) return answer(operation, 0, false);
  Link& link = worker.links[entry.backend];
  const Hold hold = check(worker, link, simulation_.now());
  if (hold == Hold::kNewer || link.state != Link::State::kUp || FenceWatch::is_settled(hold)) {
    return answer(operation, 0, false);
  }
  const base::memcache::StoredKey stored(operation->cache, cache->generation, entry.since,
                                         operation->key);
  std::array<char, base::memcache::kMaxKeyLength> text;
  Request request;
  request.key = stored.write(text);
  if (operation->value != 0) {
    request.kind = Request::Kind::kSet;
    request.value = std::to_string(operation->value);
  }
  link.wire->send(std::move(request));
  Pending pending;
  pending.sent = simulation_.now();
  pending.generation = cache->generation;
  pending.since = entry.since;
  pending.world = worker.number;
  pending.operation = std::move(operation);
  link.in_flight.push_back(std::move(pending));
}

// A reply has come, with its time; what is made of it is another event, since the process may be
// stopped in between.
void SimProxy::receive(Worker& worker, size_t backend, Reply reply) {
  Link& link = worker.links[backend];
  if (reply.reset) return lose(link);
  Received received;
  received.reply = std::move(reply);
  received.now = mutation_.judge_by_tick ? worker.ticked_before : simulation_.now();
  link.received.push_back(std::move(received));
  simulation_.after(simulation_.moment(), process,
                    [this, &worker, backend] { handle_one(worker, backend); });
}

void SimProxy::handle_one(Worker& worker, size_t backend) {
  Link& link = worker.links[backend];
  if (link.received.empty()) return;  // the link was lost meanwhile
  const Received received = std::move(link.received.front());
  link.received.pop_front();
  const Pending pending = std::move(link.in_flight.front());
  link.in_flight.pop_front();
  if (pending.operation == nullptr) {
    const auto record = received.reply.done
                            ? base::memcache::parse_fence_record(received.reply.value)
                            : std::nullopt;
    link.fence.read(pending.sent, record);
    if (record) worker.seen.raise_to(*record);
    if (link.state == Link::State::kProbing) {
      link.state = Link::State::kUp;
      link.backoff.answered(simulation_.now());
    }
    return;
  }
  if (pending.answered) return;
  if (!may_answer(worker, backend, pending, received.now))
    return answer(pending.operation, 0, false);
  const bool write = pending.operation->value != 0;
  const uint64_t found =
      !write && received.reply.done ? base::parse_u64(received.reply.value).value_or(0) : 0;
  answer(pending.operation, found, write && received.reply.done);
}

bool SimProxy::still_stands(const Worker& worker, size_t backend, const Pending& pending) const {
  if (mutation_.keep_replies || mutation_.serve_moving) return true;
  const SlotEntry& entry = worker.view->slots[pending.operation->slot];
  return !entry.moving && entry.backend == backend && entry.since == pending.since;
}

// Router::judge.
bool SimProxy::may_answer(const Worker& worker, size_t backend, const Pending& pending,
                          Instant now) const {
  if (pending.world != worker.number) {
    if (!still_stands(worker, backend, pending)) return false;
    const auto* cache = worker.directory->caches.find(pending.operation->cache);
    if (cache->generation != pending.generation && !mutation_.keep_replies) return false;
  }
  return check(worker, worker.links[backend], now) == Hold::kNone;
}

// The reply leaves at the end of the turn: later, when the process is stopped before.
void SimProxy::answer(const OperationPtr& operation, uint64_t found, bool stored) {
  simulation_.after(simulation_.moment(), process, [this, operation, found, stored] {
    simulation_.after(simulation_.latency(),
                      [operation, found, stored] { operation->answered(found, stored); });
  });
}

void SimProxy::lose(Link& link) {
  if (link.wire) link.wire->close();
  link.wire.reset();
  link.received.clear();
  link.fence.reset();
  link.state = Link::State::kDown;
  link.at = simulation_.now() + link.backoff.lost(simulation_.now());
  for (const Pending& pending : std::exchange(link.in_flight, {})) {
    if (pending.operation && !pending.answered) answer(pending.operation, 0, false);
  }
}

// Router::install.
void SimProxy::install(Worker& worker, ViewPtr view, proxy::tenant::DirectoryPtr directory) {
  const bool moves = view != worker.view;
  worker.view = std::move(view);
  worker.directory = std::move(directory);
  worker.known = {worker.view->known, worker.directory->flush_sequence()};
  ++worker.number;
  if (!moves) return;
  for (size_t i = 0; i < backends_.size(); ++i) {
    for (Pending& pending : worker.links[i].in_flight) {
      if (!pending.operation || pending.answered || still_stands(worker, i, pending)) continue;
      pending.answered = true;
      answer(pending.operation, 0, false);
    }
  }
}

// ---- Admin: one call after the other; durable, then installed on every worker, then acknowledged.

void SimProxy::call(Call call) {
  if (call.verb == Call::Verb::kStatus) {  // answered beside whatever is under way
    return call.answered(true, mutation_.tell_durable ? present() : confirmed_);
  }
  calls_.push_back(std::move(call));
  if (!calling_) next_call();
}

ProxyStatus SimProxy::present() const {
  ProxyStatus status;
  status.instance = process.life;
  status.committed = ring_.committed_epoch();
  status.prepared = ring_.prepared_epoch();
  status.flush_sequence = directory_->flush_sequence();
  status.completed_flush = directory_->completed_flush();
  return status;
}

void SimProxy::finish(Call& call, bool accepted) {
  call.answered(accepted, present());
  calling_ = false;
  if (!calls_.empty()) next_call();
}

void SimProxy::next_call() {
  calling_ = true;
  Call call = std::move(calls_.front());
  calls_.pop_front();
  switch (call.verb) {
    case Call::Verb::kStatus:
      return;  // answered by call()
    case Call::Verb::kConfigure: {
      auto next = std::make_shared<proxy::tenant::Directory>(*directory_);
      for (const proxy::tenant::Cache& cache : call.caches) next->put_cache(cache);
      next->flushed_up_to(call.sequence);
      next->complete_flushes(call.completed);
      return write_and_install([this, next] { disk_.directory = directory_ = next; },
                               std::move(call));
    }
    case Call::Verb::kFlush: {
      auto next = std::make_shared<proxy::tenant::Directory>(*directory_);
      next->flush(call.caches.front().id, call.caches.front().generation, call.sequence);
      return write_and_install([this, next] { disk_.directory = directory_ = next; },
                               std::move(call));
    }
    case Call::Verb::kComplete: {
      auto next = std::make_shared<proxy::tenant::Directory>(*directory_);
      next->complete_flushes(call.completed);
      return write_and_install([this, next] { disk_.directory = directory_ = next; },
                               std::move(call));
    }
    case Call::Verb::kPrepare: {
      const auto decision = ring_.decide_prepare(*call.table);
      if (decision == proxy::ring::PrepareDecision::kAlreadyPrepared) return finish(call, true);
      if (decision != proxy::ring::PrepareDecision::kPrepare) return finish(call, false);
      Work change = [this, table = call.table] {
        ring_.prepare(table);
        disk_.prepared = ring_.prepared();
        disk_.known = ring_.known();
      };
      return write_and_install(std::move(change), std::move(call));
    }
    case Call::Verb::kCommit: {
      const auto decision = ring_.decide_commit(call.epoch);
      if (decision == proxy::ring::CommitDecision::kAlreadyCommitted) return finish(call, true);
      if (decision != proxy::ring::CommitDecision::kCommit) return finish(call, false);
      Work change = [this] {
        ring_.commit();
        disk_.committed = ring_.committed();
        // The prepared file goes afterwards: a kill in between leaves both.
        simulation_.after(simulation_.latency(), process,
                          [this] { disk_.prepared = ring_.prepared(); });
      };
      return write_and_install(std::move(change), std::move(call));
    }
    case Call::Verb::kAbort: {
      const auto decision = ring_.decide_abort(call.epoch);
      if (decision == proxy::ring::AbortDecision::kAlreadyCommitted) return finish(call, false);
      Work change = [this, epoch = call.epoch] {
        ring_.abort(epoch);
        disk_.prepared = ring_.prepared();
        disk_.known = ring_.known();
      };
      return write_and_install(std::move(change), std::move(call));
    }
  }
}

void SimProxy::write_and_install(Work change, Call call) {
  // Shared: the continuation is copied into events.
  auto kept = std::make_shared<Call>(std::move(call));
  simulation_.after(simulation_.latency(), process, [this, change = std::move(change), kept] {
    change();
    simulation_.tell(process.name + " has " + state());
    if (mutation_.acknowledge_early) {
      install_all([] {});
      return finish(*kept, true);
    }
    install_all([this, kept] { finish(*kept, true); });
  });
}

// A worker may serve on for a long while before it takes what was posted; it takes the newest.
void SimProxy::install_all(Work done) {
  const uint64_t number = ++posted_;
  publications_.push_back({number, present(), std::move(done)});
  const ViewPtr view = tables_.view(ring_.committed(), ring_.prepared(), ring_.known());
  for (Worker& worker : workers_) {
    simulation_.after(simulation_.lag(), process,
                      [this, &worker, view, directory = directory_, number] {
                        if (number < worker.installed) return;
                        worker.installed = number;
                        install(worker, view, directory);
                        check_installed();
                      });
  }
}

void SimProxy::check_installed() {
  while (!publications_.empty()) {
    const uint64_t number = publications_.front().number;
    const bool everywhere =
        std::all_of(workers_.begin(), workers_.end(),
                    [&](const Worker& worker) { return worker.installed >= number; });
    if (!everywhere) return;
    const Publication publication = std::move(publications_.front());
    publications_.pop_front();
    confirmed_ = publication.status;
    publication.done();
  }
}

}  // namespace one_view
