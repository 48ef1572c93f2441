#include "proxy/admin/control.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/core/rng.h"
#include "base/memcache/stored_key.h"
#include "base/telemetry/log.h"
#include "version.h"

namespace proxy::admin {

namespace asio = boost::asio;
namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using base::net::RpcRequest;

namespace {

// How long a worker may take to serve by a new World; its loop turns every 20 ms.
constexpr base::Duration kPublishDeadline = std::chrono::milliseconds(1500);
constexpr base::Duration kPublishPoll = std::chrono::microseconds(200);
constexpr size_t kMostWaiting = 64;
constexpr base::Duration kDrainPoll = std::chrono::milliseconds(20);

bool acts(const std::string& verb) {
  return verb == "configure" || verb == "change" || verb.starts_with("flush") ||
         verb.starts_with("epoch.") || verb == "handover";
}

// Counts a call while it is under way, also when it is cancelled.
class Acting {
 public:
  explicit Acting(int& count) : count_(count) { ++count_; }
  ~Acting() { --count_; }
  Acting(const Acting&) = delete;
  Acting& operator=(const Acting&) = delete;

 private:
  int& count_;
};

Error refused(std::string_view what, std::string_view why) {
  return Error(ErrorCode::kRefused, std::string(what) + ": " + std::string(why));
}

}  // namespace

Control::Control(const ControlParts& parts, SavedState saved)
    : config_(parts.config),
      timers_(parts.timers),
      segment_(parts.segment),
      state_(parts.state),
      connections_(parts.connections),
      accounts_(parts.accounts),
      lifecycle_(parts.lifecycle),
      instance_(base::random_hex(8)),
      settings_(Settings::of(parts.config)),
      ring_(std::move(saved.committed), std::move(saved.prepared), saved.known_epoch),
      directory_(std::move(saved.directory)),
      backends_(std::move(saved.backends)),
      fence_(saved.fence) {
  confirmed_ = present();  // the workers begin with it
  show_state();
}

Result<std::vector<ring::BackendRef>> Control::index_backends(
    const std::vector<BackendAddress>& backends) {
  std::vector<ring::BackendRef> refs;
  for (const BackendAddress& backend : backends) {
    const auto index = segment_.backend_index(backend.id);
    if (!index) return index.error();
    ring::BackendRef ref;
    ref.id = backend.id;
    ref.address = backend.address;
    ref.port = backend.port;
    ref.index = static_cast<uint16_t>(*index);
    ref.hash = base::memcache::owner_hash(backend.id);
    refs.push_back(std::move(ref));
  }
  return refs;
}

Result<World> Control::world() {
  if (!view_) {
    auto refs = index_backends(backends_);
    if (!refs) return refs.error();
    view_ = ring::compile_view(ring_.committed().get(), ring_.prepared().get(), ring_.known(),
                               std::move(*refs));
  }
  World world;
  world.view = view_;
  world.directory = directory_;
  world.settings = settings_;
  return world;
}

void Control::show_state() {
  auto& header = segment_.header();
  header.committed_epoch.set(ring_.committed_epoch());
  header.prepared_epoch.set(ring_.prepared_epoch());
  header.flush_sequence.set(directory_->flush_sequence());
  header.config_generation.set(directory_->generation);
  header.draining.set(draining_ ? 1 : 0);
}

Control::Told Control::present() const {
  Told told;
  told.committed = ring_.committed_epoch();
  told.prepared = ring_.prepared_epoch();
  told.config_generation = directory_->generation;
  told.flush_sequence = directory_->flush_sequence();
  told.completed_flush = directory_->completed_flush();
  return told;
}

bool Control::is_installed(uint64_t number) const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [&](const Worker* worker) { return worker->installed() >= number; });
}

// Of what was posted, the newest that every worker has taken.
const Control::Told& Control::confirmed() {
  for (; !waiting_.empty() && is_installed(waiting_.front().first); waiting_.pop_front()) {
    confirmed_ = waiting_.front().second;
  }
  return confirmed_;
}

// Posts the present World to every worker and waits until all serve by it.
asio::awaitable<Result<>> Control::publish() {
  Result<World> next = world();
  if (!next) co_return next.error();
  show_state();
  const uint64_t number = ++posted_;
  // While a worker stands still only the newest can still be of interest.
  if (waiting_.size() >= kMostWaiting) waiting_.pop_front();
  waiting_.emplace_back(number, present());
  for (Worker* worker : workers_) worker->install(*next, number);
  const base::Instant deadline = timers_.clock().now() + kPublishDeadline;
  while (!is_installed(number)) {
    if (timers_.clock().now() >= deadline) {
      co_return Error(ErrorCode::kTimeout,
                      "not every worker has taken the new state in time; it is saved and will be "
                      "taken; ask again");
    }
    co_await timers_.wait_for(kPublishPoll);
  }
  co_return base::Done{};
}

void Control::change_settings(const Settings& settings) {
  settings_ = settings;
  const Result<World> next = world();
  if (!next) return;
  const uint64_t number = ++posted_;
  for (Worker* worker : workers_) worker->install(*next, number);
}

// Refuses a caller whose fence is lower than one seen, and remembers a higher one durably.
Result<> Control::admit(const RpcRequest& request) {
  if (request.fence == 0 && !acts(request.verb)) return base::Done{};
  if (request.fence < fence_) {
    return Error(ErrorCode::kRefused, "fence " + std::to_string(request.fence) + " is lower than " +
                                          std::to_string(fence_) +
                                          ": another controller has taken over");
  }
  if (request.fence == fence_) return base::Done{};
  const auto saved = state_.save_fence(request.fence, ring_.known());
  if (!saved) return saved.error();
  fence_ = request.fence;
  return base::Done{};
}

asio::awaitable<Result<json::value>> Control::call(RpcRequest request) {
  if (request.verb == "status") co_return status();
  if (sealed_) {
    co_return Error(ErrorCode::kUnavailable,
                    "a new process is taking this proxy over; ask again in a moment",
                    base::Origin::kSelf, base::Retry::kSafe);
  }
  const auto admitted = admit(request);
  if (!admitted) co_return admitted.error();
  const std::string& verb = request.verb;
  if (verb == "usage") co_return usage(request.args);
  if (verb == "handover") co_return hand_over(request.args);
  if (verb == "drain") {
    if (lifecycle_.is_handing_over()) {
      co_return Error(ErrorCode::kConflict,
                      "a new process is taking this proxy over; drain that one");
    }
    const json::value* deadline = request.args.if_contains("deadline_ms");
    const bool given = deadline != nullptr && deadline->is_int64() && deadline->get_int64() >= 0;
    const base::Duration wait = std::chrono::milliseconds(given ? deadline->get_int64() : 5000);
    const uint64_t remaining = co_await drain(wait);
    json::value answer = json::object{{"remaining", remaining}};
    co_return answer;
  }
  if (verb == "quit") {
    lifecycle_.quit();
    json::value answer = json::object{};
    co_return answer;
  }
  const Acting inside(acting_);
  co_return co_await act(verb, std::move(request.args));
}

asio::awaitable<Control::Answer> Control::act(std::string verb, json::object args) {
  if (verb == "configure") co_return co_await configure(std::move(args));
  if (verb == "change") co_return co_await change(std::move(args));
  if (verb == "epoch.prepare") co_return co_await prepare(std::move(args));
  if (verb == "epoch.commit") co_return co_await commit(std::move(args));
  if (verb == "epoch.abort") co_return co_await abort(std::move(args));
  if (verb == "flush") co_return co_await flush(std::move(args));
  if (verb == "flush.complete") co_return co_await complete_flushes(std::move(args));
  co_return Error(ErrorCode::kNotFound,
                  "no verb " + verb +
                      "; known: status, usage, configure, change, epoch.prepare, epoch.commit, "
                      "epoch.abort, flush, flush.complete, drain, handover, quit");
}

Control::Answer Control::hand_over(const json::object& args) {
  const json::value* socket = args.if_contains("socket");
  if (socket == nullptr || !socket->is_string()) {
    return Error(ErrorCode::kInvalid, "socket: expected where the new process listens");
  }
  if (draining_) return refused("handover", "draining");
  const auto pid = lifecycle_.hand_over(std::string(socket->get_string()));
  if (!pid) return pid.error();
  return json::value(json::object{{"pid", *pid}});
}

Result<> Control::restore(SavedState saved) {
  ring_ = ring::Ring(std::move(saved.committed), std::move(saved.prepared), saved.known_epoch);
  directory_ = std::move(saved.directory);
  backends_ = std::move(saved.backends);
  fence_ = saved.fence;
  view_.reset();
  const Result<World> next = world();
  if (!next) return next.error();
  confirmed_ = present();
  show_state();
  const uint64_t number = ++posted_;
  for (Worker* worker : workers_) worker->install(*next, number);
  return base::Done{};
}

Control::Answer Control::status() {
  json::array fenced;
  for (const std::string& id : fenced_backends()) fenced.emplace_back(id);
  const Told& told = confirmed();
  return json::value(json::object{{"id", config_.id},
                                  {"pid", ::getpid()},
                                  {"instance", instance_},
                                  {"version", MCGUARD_VERSION},
                                  {"committed", told.committed},
                                  {"prepared", told.prepared},
                                  {"config_generation", told.config_generation},
                                  {"flush_sequence", told.flush_sequence},
                                  {"completed_flush", told.completed_flush},
                                  {"fence", fence_},
                                  {"draining", draining_},
                                  {"handing_over", sealed_},
                                  {"connections", connections_.total()},
                                  {"fenced_backends", std::move(fenced)}});
}

// What this proxy knows of a cache's items. The hashes let the agent count an item once that several
// proxies know of.
Control::Answer Control::usage(const json::object& args) {
  const json::value* id = args.if_contains("cache");
  const tenant::Cache* cache = id != nullptr && id->is_int64() && id->get_int64() > 0
                                   ? directory_->caches.find(base::CacheId(id->get_int64()))
                                   : nullptr;
  if (cache == nullptr) return Error(ErrorCode::kNotFound, "usage: no such cache");
  tenant::Account& account = accounts_.open(cache->id);
  const auto now = static_cast<uint32_t>(timers_.clock().wall().ns / 1'000'000'000);
  const tenant::FollowedItems followed = account.ledger().followed(cache->generation, now);
  const tenant::Estimate estimate = account.ledger().estimate(cache->generation, now);
  json::array items;
  items.reserve(2 * followed.items.size());
  for (const tenant::FollowedItems::Item& item : followed.items) {
    items.emplace_back(item.hash);
    items.emplace_back(item.bytes);
  }
  return json::value(json::object{{"generation", cache->generation},
                                  {"connections", account.connections()},
                                  {"evictions", estimate.evictions},
                                  {"expired", estimate.expired},
                                  {"every", followed.every},
                                  {"items", std::move(items)}});
}

asio::awaitable<Control::Answer> Control::configure(json::object args) {
  const auto configuration = parse_configuration(args);
  if (!configuration) co_return configuration.error();
  if (const auto refs = index_backends(configuration->backends); !refs) co_return refs.error();
  auto next = configured(*directory_, *configuration);
  const auto saved = state_.save_config(*next, configuration->backends);
  if (!saved) co_return saved.error();
  directory_ = std::move(next);
  backends_ = configuration->backends;
  view_.reset();
  base::log::info("configured", {{"generation", directory_->generation},
                                 {"caches", directory_->caches.size()},
                                 {"backends", backends_.size()}});
  const auto published = co_await publish();
  if (!published) co_return published.error();
  json::value answer = json::object{{"generation", directory_->generation}};
  co_return answer;
}

asio::awaitable<Control::Answer> Control::change(json::object args) {
  const auto parsed = parse_change(args);
  if (!parsed) co_return parsed.error();
  if (parsed->base != directory_->generation) {
    co_return Error(ErrorCode::kConflict, "the present generation is " +
                                              std::to_string(directory_->generation) + ", not " +
                                              std::to_string(parsed->base) + "; configure anew");
  }
  const auto saved = state_.append_change(args);
  if (!saved) co_return saved.error();
  directory_ = changed(*directory_, *parsed);
  compact_if_long();
  const auto published = co_await publish();
  if (!published) co_return published.error();
  json::value answer = json::object{{"generation", directory_->generation}};
  co_return answer;
}

asio::awaitable<Control::Answer> Control::prepare(json::object args) {
  const json::value* given = args.if_contains("table");
  if (given == nullptr) co_return Error(ErrorCode::kInvalid, "table: expected an epoch table");
  auto parsed = base::parse_table(json::serialize(*given));
  if (!parsed) co_return parsed.error();
  if (parsed->epoch == 0 || parsed->epoch > base::memcache::kMaxEpoch) {
    co_return Error(ErrorCode::kInvalid, "table.epoch: expected a number from 1 to " +
                                             std::to_string(base::memcache::kMaxEpoch));
  }
  const base::Epoch epoch = parsed->epoch;
  const ring::PrepareDecision decision = ring_.decide_prepare(*parsed);
  if (decision == ring::PrepareDecision::kPrepare) {
    const auto saved = state_.save_prepared(*parsed);
    if (!saved) co_return saved.error();
    ring_.prepare(std::make_shared<const base::EpochTable>(std::move(*parsed)));
    view_.reset();
    base::log::info("epoch_prepared", {{"epoch", epoch}});
  } else if (decision != ring::PrepareDecision::kAlreadyPrepared) {
    co_return refused("epoch " + std::to_string(epoch), ring::to_string(decision));
  }
  const auto published = co_await publish();
  if (!published) co_return published.error();
  json::value answer = json::object{{"prepared", epoch}};
  co_return answer;
}

asio::awaitable<Control::Answer> Control::commit(json::object args) {
  const auto epoch = parse_epoch(args);
  if (!epoch) co_return epoch.error();
  const ring::CommitDecision decision = ring_.decide_commit(*epoch);
  if (decision == ring::CommitDecision::kNotPrepared) {
    co_return Error(ErrorCode::kConflict, "epoch " + std::to_string(*epoch) + " is not prepared");
  }
  if (decision == ring::CommitDecision::kCommit) {
    const auto saved = state_.save_committed(*ring_.prepared());
    if (!saved) co_return saved.error();
    ring_.commit();
    view_.reset();
    const auto removed = state_.remove_prepared();
    if (!removed) base::log::warn("state_leftover", {{"error", removed.error().context}});
    base::log::info("epoch_committed", {{"epoch", *epoch}});
  }
  const auto published = co_await publish();
  if (!published) co_return published.error();
  json::value answer = json::object{{"committed", *epoch}};
  co_return answer;
}

asio::awaitable<Control::Answer> Control::abort(json::object args) {
  const auto epoch = parse_epoch(args);
  if (!epoch) co_return epoch.error();
  const ring::AbortDecision decision = ring_.decide_abort(*epoch);
  if (decision == ring::AbortDecision::kAlreadyCommitted && *epoch == ring_.committed_epoch()) {
    co_return refused("epoch " + std::to_string(*epoch), ring::to_string(decision));
  }
  if (decision != ring::AbortDecision::kAlreadyCommitted) {
    // The file is removed first: if the process ends here, the table is merely forgotten.
    if (decision == ring::AbortDecision::kAbort) {
      const auto removed = state_.remove_prepared();
      if (!removed) co_return removed.error();
    }
    ring_.abort(*epoch);
    view_.reset();
    const auto saved = state_.save_fence(fence_, ring_.known());
    if (!saved) co_return saved.error();
    base::log::info("epoch_aborted", {{"epoch", *epoch}});
    const auto published = co_await publish();
    if (!published) co_return published.error();
  }
  json::value answer = json::object{{"committed", ring_.committed_epoch()}};
  co_return answer;
}

asio::awaitable<Control::Answer> Control::flush(json::object args) {
  const auto parsed = parse_flush(args);
  if (!parsed) co_return parsed.error();
  const auto saved = state_.append_flush(*parsed);
  if (!saved) co_return saved.error();
  auto next = std::make_shared<tenant::Directory>(*directory_);
  next->flush(parsed->cache, parsed->generation, parsed->sequence);
  if (next->flush_sequence() < parsed->sequence) {
    base::log::warn("flush_overtook",
                    {{"sequence", parsed->sequence}, {"complete_to", next->flush_sequence()}});
  }
  directory_ = std::move(next);
  compact_if_long();
  const auto published = co_await publish();
  if (!published) co_return published.error();
  const tenant::Cache* cache = directory_->caches.find(parsed->cache);
  const base::Generation now_at = cache == nullptr ? parsed->generation : cache->generation;
  json::value answer = json::object{{"generation", now_at}};
  co_return answer;
}

asio::awaitable<Control::Answer> Control::complete_flushes(json::object args) {
  const auto sequence = parse_completion(args);
  if (!sequence) co_return sequence.error();
  if (*sequence > directory_->completed_flush()) {
    const auto saved = state_.append_completion(*sequence);
    if (!saved) co_return saved.error();
    auto next = std::make_shared<tenant::Directory>(*directory_);
    next->complete_flushes(*sequence);
    directory_ = std::move(next);
    compact_if_long();
  }
  const auto published = co_await publish();
  if (!published) co_return published.error();
  json::value answer = json::object{{"sequence", directory_->completed_flush()}};
  co_return answer;
}

void Control::compact_if_long() {
  if (!state_.wants_compaction()) return;
  const auto saved = state_.save_config(*directory_, backends_);
  if (!saved) base::log::warn("state_not_compacted", {{"error", saved.error().context}});
}

asio::awaitable<uint64_t> Control::drain(base::Duration wait) {
  draining_ = true;
  show_state();
  for (Worker* worker : workers_) worker->drain();
  const base::Instant deadline = timers_.clock().now() + wait;
  // Those who never pause between two requests are read no further near the end.
  const base::Instant impatient = deadline - wait / 4;
  bool finishing = false;
  while (connections_.total() > 0 && timers_.clock().now() < deadline) {
    if (!finishing && timers_.clock().now() >= impatient) {
      for (Worker* worker : workers_) worker->finish_all();
      finishing = true;
    }
    co_await timers_.wait_for(kDrainPoll);
  }
  co_return connections_.total();
}

std::vector<std::string> Control::fenced_backends() const {
  std::vector<std::string> fenced;
  const base::Instant now = timers_.clock().now();
  for (const BackendAddress& backend : backends_) {
    const auto index = segment_.backend_index(backend.id);
    if (!index) continue;
    bool confirmed = true;
    for (Worker* worker : workers_) {
      const auto& cells = worker->cells().backends[*index];
      const base::Instant asked{static_cast<int64_t>(cells.fence_confirmed_ns.get())};
      confirmed = confirmed && cells.connected.get() != 0 && now - asked <= ring::kFenceWindow;
    }
    if (!confirmed) fenced.push_back(backend.id);
  }
  return fenced;
}

bool Control::is_ready() const {
  return why_not_ready().empty();
}

std::string Control::why_not_ready() const {
  if (draining_) return "draining";
  if (directory_->generation == 0) return "not configured";
  if (ring_.committed_epoch() == 0) return "no committed epoch";
  return {};
}

}  // namespace proxy::admin
