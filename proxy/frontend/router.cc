#include "proxy/frontend/router.h"

#include <algorithm>

#include "base/core/rng.h"
#include "base/memcache/stored_key.h"
#include "proxy/frontend/client.h"
#include "proxy/frontend/ledger_entry.h"
#include "proxy/route/answer.h"
#include "proxy/route/meta.h"
#include "proxy/route/translate.h"

namespace proxy {

using base::Instant;
using base::memcache::MetaReply;
using base::memcache::Request;
using base::telemetry::Failure;
using base::telemetry::Leg;
using route::Pending;

namespace {

constexpr size_t kScratchSize = 256 * 1024;

}  // namespace

Router::Router(Loop& loop, base::Clock& clock, ClientTable& clients, RouterCells cells, World world)
    : clients_(clients),
      cells_(cells.worker),
      details_(cells.details),
      keys_(details_, base::random_u64()),
      slow_(details_),
      scratch_(new char[kScratchSize]),
      context_{loop,
               clock,
               *this,
               cells.latencies,
               scratch_.get(),
               kScratchSize,
               world.settings.timeouts.connect,
               world.settings.timeouts.request,
               world.settings.timeouts.queue,
               world.settings.timeouts.keepalive,
               world.settings.limits.backend_queue},
      world_(std::move(world)),
      known_(world_.known()) {
  configure_samples();
}

void Router::start(Instant now) {
  configure_links(now);
}

bool Router::is_connected() const {
  return connected_backends() == world_.view->backends.size();
}

size_t Router::connected_backends() const {
  const auto up = std::count_if(
      world_.view->backends.begin(), world_.view->backends.end(),
      [&](const ring::BackendRef& backend) { return links_[backend.index]->is_up(); });
  return static_cast<size_t>(up);
}

void Router::install(World world, Instant now) {
  const bool moves = world.view != world_.view;
  world_ = std::move(world);
  known_ = world_.known();
  ++number_;
  context_.connect_timeout = world_.settings.timeouts.connect;
  context_.request_timeout = world_.settings.timeouts.request;
  context_.queue_target = world_.settings.timeouts.queue;
  context_.keepalive = world_.settings.timeouts.keepalive;
  context_.queue = world_.settings.limits.backend_queue;
  configure_samples();
  if (!moves) return;
  answer_moved();
  configure_links(now);
}

// Answers every request in flight whose slot is no longer served as it was when it was sent; its
// reply will be read and discarded.
void Router::answer_moved() {
  for (const auto& link : links_) {
    if (!link) continue;
    link->in_flight().for_each([&](Pending& pending, std::string_view key, std::string_view flags) {
      if (pending.leg == Leg::kFence || pending.answered) return;
      if (still_stands(pending, link->index())) return;
      pending.answered = true;
      if (Client* client = clients_.find(pending.client, pending.client_serial)) {
        answer_failure(*client, pending, key, flags, Failure::kSlotMoving);
      }
    });
  }
}

void Router::configure_links(Instant now) {
  std::array<const ring::BackendRef*, base::telemetry::kMaxBackends> wanted{};
  for (const ring::BackendRef& backend : world_.view->backends) wanted[backend.index] = &backend;
  for (uint16_t i = 0; i < links_.size(); ++i) {
    if (wanted[i] == nullptr) {
      if (links_[i]) links_[i]->set_endpoint({}, 0, now);
      continue;
    }
    if (!links_[i]) {
      links_[i] = std::make_unique<Link>(context_, i, wanted[i]->id, cells_.backends[i]);
    }
    links_[i]->set_endpoint(wanted[i]->address, wanted[i]->port, now);
  }
}

std::optional<Failure> Router::send(const Request& request, std::string_view key, Pending& pending,
                                    bool may_touch, Instant now) {
  pending.slot = base::slot_of(pending.cache, key);
  const ring::SlotEntry& entry = world_.view->slots[pending.slot];
  if (entry.moving) return Failure::kSlotMoving;
  if (entry.backend == ring::kNoBackend) return Failure::kBackendDown;
  Link& link = *links_[entry.backend];
  const ring::Hold hold = link.fence().check(now, known_, seen_);
  if (hold == ring::Hold::kNewer) return Failure::kFenced;
  if (!link.takes_requests()) return link.why_not();
  if (ring::FenceWatch::is_settled(hold)) return Failure::kFenced;
  pending.since = entry.since;
  pending.world = number_;
  pending.sent_ns = now.ns;
  pending.value_size = request.value_length;
  pending.exptime = static_cast<int32_t>(std::clamp<int64_t>(request.exptime, -1, INT32_MAX));
  base::memcache::CasTokens tokens;
  const bool is_meta = route::is_meta(request.command);
  if (request.cas != 0 || request.command == base::memcache::Command::kCas || is_meta) {
    tokens = tokens_of(pending, entry.backend);
  }
  if (is_meta) route::note_meta_effect(pending, request, may_touch);
  const base::memcache::StoredKey stored(pending.cache, pending.generation, entry.since, key);
  route::append_upstream(link.out(), request, stored, tokens, may_touch);
  link.sent(pending, key, route::echoed_flags(request));
  ++messages_;
  return std::nullopt;
}

base::memcache::CasTokens Router::tokens_of(const Pending& pending, uint16_t backend) const {
  const tenant::Cache* const cache = world_.directory->caches.find(pending.cache);
  const base::memcache::CasSecret secret =
      cache == nullptr ? base::memcache::CasSecret{} : cache->cas_secret;
  return {secret, pending.cache, pending.generation, pending.since,
          world_.view->owner_hash[backend]};
}

bool Router::still_stands(const Pending& pending, uint16_t backend) const {
  const ring::SlotEntry& entry = world_.view->slots[pending.slot];
  return !entry.moving && entry.backend == backend && entry.since == pending.since;
}

std::optional<Failure> Router::judge(const Link& link, const Pending& pending, Instant now) const {
  if (pending.world != number_) {
    if (!still_stands(pending, link.index())) return Failure::kSlotMoving;
    const tenant::Cache* cache = world_.directory->caches.find(pending.cache);
    if (cache == nullptr || cache->generation != pending.generation) return Failure::kFenced;
  }
  if (link.fence().check(now, known_, seen_) != ring::Hold::kNone) return Failure::kFenced;
  return std::nullopt;
}

void Router::on_reply(Link& link, const Pending& pending, std::string_view key,
                      const MetaReply& reply, Instant now) {
  ++messages_;
  if (pending.answered) return;
  Client* const client = clients_.find(pending.client, pending.client_serial);
  if (client == nullptr) return;
  const int64_t took_ns = now.ns - pending.sent_ns;
  const auto failure = judge(link, pending, now);
  if (slow_.is_slow(took_ns)) sample_slow(link, *client, pending, key, failure, now);
  if (failure) {
    // Its size counts: or a client that asks for large values would be let ask for more of them at once
    // just because none can be confirmed in time.
    return answer_failure(*client, pending, key, link.in_flight().front_flags(), *failure,
                          reply.value.size());
  }
  base::memcache::CasTokens tokens;
  if (reply.has_cas || reply.code == base::memcache::MetaCode::kDebug) {
    tokens = tokens_of(pending, link.index());
  }
  base::memcache::Buffer& out = client->reply_target(pending.ticket);
  const route::Outcome outcome = route::append_answer(out, pending, key, reply, tokens);
  if (outcome == route::Outcome::kError) {
    cells_.failure(Failure::kBackendError).add();
    link.cells().failures.add();
  }
  client->count(pending.command, outcome);
  if (keys_.is_due()) sample_key(pending, key, outcome, reply.value.size());
  if (tenant::Ledger::may_follow(pending.slot)) {
    const bool shows_value = reply.code == base::memcache::MetaCode::kValue;
    note_in_ledger(client->session().account, pending, key, outcome,
                   shows_value ? std::optional(reply.value.size()) : std::nullopt,
                   context_.clock.wall());
  }
  if (outcome == route::Outcome::kError && pending.in_group) {
    client->fail_group(pending.ticket);
  } else {
    client->finish_reply(pending.ticket, reply.value.size());
  }
}

void Router::on_lost(Link& link, const Pending& pending, std::string_view key, Failure failure) {
  if (pending.answered) return;
  if (Client* client = clients_.find(pending.client, pending.client_serial)) {
    const Instant now = context_.clock.now();
    if (slow_.is_slow(now.ns - pending.sent_ns)) {
      sample_slow(link, *client, pending, key, failure, now);
    }
    answer_failure(*client, pending, key, link.in_flight().front_flags(), failure);
  }
}

void Router::answer_failure(Client& client, const Pending& pending, std::string_view key,
                            std::string_view flags, Failure failure, size_t arrived) {
  cells_.failure(failure).add();
  const bool read = pending.leg == Leg::kRead;
  // A key that moves or is fenced is a miss whatever the policy: nothing is broken.
  const bool as_miss = read && (world_.settings.on_backend_failure == FailurePolicy::kMiss ||
                                failure == Failure::kSlotMoving || failure == Failure::kFenced);
  if (keys_.is_due()) {
    sample_key(pending, key, as_miss ? route::Outcome::kAbsent : route::Outcome::kError, 0);
  }
  base::memcache::Buffer& out = client.reply_target(pending.ticket);
  if (as_miss) {
    route::append_miss(out, pending, key, flags);
    client.count(pending.command, route::Outcome::kAbsent);
    return client.finish_reply(pending.ticket, arrived);
  }
  route::append_failure(out, pending, failure);
  if (pending.in_group) return client.fail_group(pending.ticket);
  client.finish_reply(pending.ticket, arrived);
}

void Router::configure_samples() {
  const Samples& samples = world_.settings.samples;
  const bool with_text = samples.keys == KeyText::kText;
  keys_.set_policy(samples.keys_one_in, with_text);
  slow_.set_policy(samples.slow, samples.slow_per_second, with_text);
}

void Router::sample_key(const Pending& pending, std::string_view key, route::Outcome outcome,
                        size_t bytes) {
  KeyUse use;
  use.cache = pending.cache;
  use.key = key;
  use.is_write = pending.leg == Leg::kWrite;
  use.is_miss = !use.is_write && outcome == route::Outcome::kAbsent;
  use.bytes = bytes;
  keys_.add(use);
}

void Router::sample_slow(Link& link, Client& client, const Pending& pending, std::string_view key,
                         std::optional<Failure> failure, Instant now) {
  if (!slow_.admit(now)) return;
  const int64_t flushed_ns = link.in_flight().front_flushed_ns();
  SlowRequest request;
  request.operation = base::memcache::operation_of(pending.command);
  request.cache = pending.cache;
  request.backend = link.index();
  request.failure = failure;
  request.read = Instant{pending.sent_ns};
  request.sent = flushed_ns == 0 ? now : Instant{flushed_ns};
  request.done = now;
  request.client = client.identity().address;
  request.key = key;
  const uint64_t number = slow_.add(request);
  slow_.await_writing({number, pending.client, pending.client_serial, pending.ticket, now});
}

void Router::end_turn() {
  if (!slow_.has_unwritten()) return;
  slow_.settle(context_.clock.now(), [this](const SlowTelemetry::Unwritten& sample) {
    const Client* const client = clients_.find(sample.client, sample.client_serial);
    if (client == nullptr) return SlowTelemetry::Fate::kGone;
    return client->has_sent(sample.ticket) ? SlowTelemetry::Fate::kWritten
                                           : SlowTelemetry::Fate::kWaits;
  });
}

void Router::on_record(Link& link, const ring::FenceRecord& record, Instant asked) {
  seen_.raise_to(record);
  // Two connections read it: what was asked for earlier may come later.
  auto& confirmed = link.cells().fence_confirmed_ns;
  const auto at = static_cast<uint64_t>(asked.ns);
  if (known_.covers(record) && at > confirmed.get()) confirmed.set(at);
}

void Router::tick(Instant now) {
  keys_.tick(now);
  for (const auto& link : links_) {
    if (link) link->tick(now);
  }
}

void Router::hear() {
  for (const auto& link : links_) {
    if (link) link->hear();
  }
}

bool Router::flush() {
  if (dirty_.empty()) return false;
  // A link that fails while flushing may answer clients but never makes a link dirty.
  for (Link* link : dirty_) link->flush();
  dirty_.clear();
  return true;
}

}  // namespace proxy
