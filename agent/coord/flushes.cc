#include "agent/coord/flushes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <set>
#include <vector>

#include "agent/coord/epoch_change.h"
#include "agent/coord/fields.h"
#include "agent/coord/tenant_json.h"
#include "base/core/check.h"
#include "base/core/text.h"
#include "base/net/fd.h"
#include "base/telemetry/log.h"

namespace agent::coord {
namespace {

// Proxies that answer do so well within this; only then are records raised, since a record that is
// ahead of a proxy makes it hold back for a moment.
constexpr base::Duration kTellFirst = std::chrono::milliseconds(150);
constexpr base::Duration kLook = std::chrono::milliseconds(10);
constexpr base::Duration kLookClosely = std::chrono::milliseconds(1);
constexpr base::Duration kTellCompletion = std::chrono::milliseconds(300);
constexpr base::Duration kLookSlowly = std::chrono::milliseconds(200);
constexpr base::Duration kTimerLook = std::chrono::milliseconds(200);
constexpr std::string_view kFlushPrefix = "/flushes/";
constexpr std::string_view kTimerPrefix = "/timers/flush/";

boost::json::object to_journal(const FlushRequest& request) {
  boost::json::object journal;
  journal["origin"] = to_string(request.origin);
  journal["who"] = request.who;
  journal["proxy"] = request.proxy;
  journal["reason"] = request.reason;
  return journal;
}

std::optional<boost::json::object> parse_journal(const store::Entry& entry) {
  boost::system::error_code failed;
  boost::json::value value = boost::json::parse(entry.value, failed);
  if (failed || !value.is_object()) {
    base::log::error("flush_journal_damaged", {{"key", entry.key}});
    return std::nullopt;
  }
  return std::move(value.get_object());
}

std::string quoted(const std::string& words) {
  std::string out = "\"";
  for (const char c : base::printable(words)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string_view to_string(FlushOrigin origin) {
  switch (origin) {
    case FlushOrigin::kMemcacheClient:
      return "memcache client";
    case FlushOrigin::kWebInterface:
      return "web interface";
    case FlushOrigin::kAdminOperation:
      return "admin operation";
  }
  CHECK(false);
  return {};
}

base::Result<FlushOrigin> parse_flush_origin(std::string_view words) {
  for (const FlushOrigin origin :
       {FlushOrigin::kMemcacheClient, FlushOrigin::kWebInterface, FlushOrigin::kAdminOperation}) {
    if (to_string(origin) == words) return origin;
  }
  return base::Error(base::ErrorCode::kInvalid,
                     "origin: got \"" + base::printable(words, 40) +
                         "\", expected memcache client, web interface or admin operation",
                     base::Origin::kClient);
}

struct Flushes::Progress {
  Progress(boost::asio::any_io_executor executor, FlushStep s, base::Instant at)
      : step(std::move(s)), started(at), ended(std::move(executor)) {}
  FlushStep step;
  base::Instant started;
  bool finished = false;
  Signal ended;
};

Flushes::Flushes(boost::asio::any_io_executor executor, const Region& region, store::Store& store,
                 Tenants& tenants, ProxySync& sync, FenceRecords& fences, ProcessControl& processes,
                 base::Timers& timers, base::Gate& gate)
    : executor_(std::move(executor)),
      region_(region),
      store_(store),
      tenants_(tenants),
      sync_(sync),
      fences_(fences),
      processes_(processes),
      timers_(timers),
      gate_(gate),
      turn_(executor_) {}

boost::asio::awaitable<base::Result<>> Flushes::resume() {
  auto entries = co_await store_.list(std::string(kFlushPrefix));
  if (!entries.ok()) co_return entries.error();
  for (const store::Entry& entry : *entries) {
    const size_t slash = entry.key.find('/', kFlushPrefix.size());
    const auto sequence = parse_flush_key(entry.key);
    FlushStep step;
    step.cluster = entry.key.substr(kFlushPrefix.size(), slash - kFlushPrefix.size());
    if (region_.cluster(step.cluster) == nullptr || !sequence) continue;
    step.sequence = *sequence;
    const boost::json::object no_journal;
    const auto parsed = parse_journal(entry);  // damaged: it is completed without a log line
    const boost::json::object* const journal = parsed ? &*parsed : &no_journal;
    if (const auto* caches = journal->if_contains("caches"); caches && caches->is_array()) {
      for (const auto& id : caches->get_array()) {
        boost::system::error_code failed;
        const auto cache = tenants_.cache(id.to_number<base::CacheId>(failed));
        if (cache != nullptr) step.caches.emplace_back(cache->id, cache->generation);
      }
    }
    // Perhaps for the second time; the sequence tells readers that it is the same flush.
    log_line(*journal, step);
    begin(std::move(step));
  }
  auto timers = co_await load_timers();
  if (!timers.ok()) co_return timers;
  base::spawn(executor_, gate_, "delayed flushes", run_timers());
  co_return base::Done{};
}

Flushes::Answer Flushes::flush(FlushRequest request) {
  std::string cluster = request.cluster;
  std::vector<base::CacheId> caches;
  if (request.cache != 0) {
    const Cache* cache = tenants_.cache(request.cache);
    if (cache == nullptr) {
      co_return base::Error(base::ErrorCode::kNotFound,
                            "no cache has id " + std::to_string(request.cache),
                            base::Origin::kClient);
    }
    cluster = cache->cluster;
    caches.push_back(request.cache);
  }
  if (request.delay_seconds > 0) co_return co_await delay(std::move(request), cluster);
  if (clusters_[cluster].waiting.size() >= kMostPending) {
    co_return base::Error(base::ErrorCode::kExhausted,
                          std::to_string(kMostPending) + " flushes of " + cluster +
                              " are pending already; they complete when every proxy answers or is "
                              "fenced, see `mcguard status`",
                          base::Origin::kBackend, base::Retry::kSafe);
  }
  boost::json::object journal = to_journal(request);
  boost::json::object copy = journal;
  auto step = co_await tenants_.bump(cluster, std::move(caches), std::move(copy));
  if (!step.ok()) co_return step.error();
  log_line(journal, *step);
  co_return co_await wait_for(begin(std::move(*step)));
}

boost::asio::awaitable<base::Result<>> Flushes::recover(std::string cluster, uint64_t sequence) {
  FlushRequest request(0, FlushOrigin::kAdminOperation, "mcguard",
                       "the store was lost or is an older copy");
  boost::json::object journal = to_journal(request);
  boost::json::object copy = journal;
  auto step = co_await tenants_.recover(cluster, sequence, std::move(copy));
  if (!step.ok()) co_return step.error();
  log_line(journal, *step);
  clusters_[cluster].floor = step->sequence;
  begin(std::move(*step));
  co_return base::Done{};
}

size_t Flushes::pending() const {
  size_t sum = 0;
  for (const auto& [name, cluster] : clusters_) sum += cluster.waiting.size();
  return sum;
}

Flushes::ProgressPtr Flushes::begin(FlushStep step) {
  const std::string name = step.cluster;
  auto progress = std::make_shared<Progress>(executor_, std::move(step), timers_.clock().now());
  Cluster& cluster = clusters_[name];
  cluster.waiting[progress->step.sequence] = progress;
  tell_all(name, progress->step.sequence, false);
  if (!cluster.running) {
    cluster.running = true;
    base::spawn(executor_, gate_, "flushes", complete_all(name));
  }
  return progress;
}

Flushes::Answer Flushes::wait_for(ProgressPtr progress) {
  const base::Instant deadline = progress->started + kFlushPatience;
  while (!progress->finished && !gate_.closed() && timers_.clock().now() < deadline) {
    co_await wait_signal(progress->ended, timers_, deadline);
  }
  if (!progress->finished) {
    co_return base::Error(base::ErrorCode::kTimeout, "flush pending: it will complete",
                          base::Origin::kBackend);
  }
  co_return progress->step.caches.empty() ? 0 : progress->step.caches.front().second;
}

bool Flushes::fenced_everywhere(const std::string& name, uint64_t sequence) const {
  FenceRecord record;
  record.flush_sequence = sequence;
  const base::Instant now = timers_.clock().now();
  const ClusterSpec& cluster = *region_.cluster(name);
  return std::all_of(cluster.backends.begin(), cluster.backends.end(), [&](const auto& backend) {
    // Whatever runs under this name later is given no older record: sequences are durable.
    if (!processes_.running(backend.id)) return true;
    const auto since = fences_.held_since(backend.id, record);
    return since && now >= *since + kFencedAfter;
  });
}

bool Flushes::done(const std::string& name, uint64_t sequence) const {
  const ClusterSpec& cluster = *region_.cluster(name);
  const bool all =
      std::all_of(cluster.proxies.begin(), cluster.proxies.end(),
                  [&](const auto& proxy) { return sync_.acknowledged_flush(proxy.id, sequence); });
  return all || fenced_everywhere(name, sequence);
}

// Runs as long as anything is pending.
boost::asio::awaitable<void> Flushes::complete_all(std::string name) {
  Cluster& cluster = clusters_[name];
  while (!gate_.closed() && !cluster.waiting.empty()) {
    uint64_t complete = 0;
    for (const auto& [sequence, progress] : cluster.waiting) {
      if (!done(name, std::max(sequence, cluster.floor))) break;
      complete = sequence;
    }
    if (complete != 0) {
      co_await complete_up_to(name, complete);
      continue;
    }
    const auto& [newest, last] = *cluster.waiting.rbegin();
    const base::Instant now = timers_.clock().now();
    if (now - cluster.waiting.begin()->second->started >= kTellFirst) raise_all(name, newest);
    const bool young = now - last->started < kFlushPatience;
    co_await timers_.wait_for(young ? kLook : kLookSlowly);
  }
  cluster.running = false;
}

// Every proxy that has the flushes takes writes again before anybody is told "OK", so that what the
// client does next may be a write; one that falls silent now is not waited for.
boost::asio::awaitable<void> Flushes::complete_up_to(std::string name, uint64_t sequence) {
  tenants_.complete_flushes(name, sequence);
  const ClusterSpec& spec = *region_.cluster(name);
  const auto waits = [&](const ProxySpec& proxy) {
    return sync_.acknowledged_flush(proxy.id, sequence) &&
           !sync_.acknowledged_completion(proxy.id, sequence);
  };
  const base::Instant deadline = timers_.clock().now() + kTellCompletion;
  while (!gate_.closed() && timers_.clock().now() < deadline &&
         std::any_of(spec.proxies.begin(), spec.proxies.end(), waits)) {
    tell_all(name, sequence, true);
    co_await timers_.wait_for(kLookClosely);
  }
  if (gate_.closed()) co_return;
  Cluster& cluster = clusters_[name];
  store::Transaction transaction;
  while (!cluster.waiting.empty() && cluster.waiting.begin()->first <= sequence) {
    const ProgressPtr progress = cluster.waiting.begin()->second;
    transaction.erase(flush_key(name, progress->step.sequence));
    cluster.waiting.erase(cluster.waiting.begin());
    progress->finished = true;
    progress->ended.notify();
  }
  auto erased = co_await store_.commit(std::move(transaction));
  if (!erased.ok()) {
    // They will be taken up once more after a restart, which changes nothing.
    base::log::warn("flushes_not_closed", {{"error", erased.error()}});
  }
}

// Tells those who do not have it, one call at a time each; who fails is told again by the reconciler.
void Flushes::tell_all(const std::string& name, uint64_t sequence, bool completion) {
  Cluster& cluster = clusters_[name];
  for (const ProxySpec& proxy : region_.cluster(name)->proxies) {
    const bool has = completion ? !sync_.acknowledged_flush(proxy.id, sequence) ||
                                      sync_.acknowledged_completion(proxy.id, sequence)
                                : sync_.acknowledged_flush(proxy.id, sequence);
    if (has || !cluster.telling.insert(proxy.id).second) continue;
    base::spawn(executor_, gate_, "flush tell", tell(name, proxy.id));
  }
}

void Flushes::raise_all(const std::string& name, uint64_t sequence) {
  Cluster& cluster = clusters_[name];
  FenceRecord record;
  record.flush_sequence = sequence;
  for (const BackendSpec& backend : region_.cluster(name)->backends) {
    if (!processes_.running(backend.id) || fences_.held_since(backend.id, record)) continue;
    if (!cluster.raising.insert(backend.id).second) continue;
    base::spawn(executor_, gate_, "flush fence", raise(name, backend.id));
  }
}

boost::asio::awaitable<void> Flushes::tell(std::string cluster, std::string proxy) {
  auto told = co_await sync_.sync(proxy, false);
  clusters_[cluster].telling.erase(proxy);
  if (!told.ok()) {
    base::log::info("flush_not_told", {{"proxy", proxy}, {"error", told.error()}});
  }
}

boost::asio::awaitable<void> Flushes::raise(std::string cluster, std::string backend) {
  auto raised = co_await fences_.raise(backend);
  clusters_[cluster].raising.erase(backend);
  if (!raised.ok()) {
    base::log::info("flush_not_fenced", {{"backend", backend}, {"error", raised.error()}});
  }
}

Flushes::Answer Flushes::delay(FlushRequest request, std::string cluster) {
  if (request.cache == 0) {
    co_return base::Error(base::ErrorCode::kInvalid,
                          "only the flush of one cache can be delayed, not that of " + cluster,
                          base::Origin::kClient);
  }
  const Turn::Held held = co_await turn_.take();
  const base::WallTime now = timers_.clock().wall();
  const base::WallTime asked = std::min(request.asked.value_or(now), now);
  const base::WallTime due = asked + std::chrono::seconds(request.delay_seconds);
  const base::CacheId id = request.cache;
  const Cache* cache = tenants_.cache(id);
  const base::Generation generation = cache == nullptr ? 0 : cache->generation;
  // A promise may be kept late: what was asked for since then stands. What was asked for in the future
  // was so before the clock was set back.
  const auto present = delayed_.find(id);
  if (present != delayed_.end() && std::min(present->second.asked, now) > asked) {
    co_return generation;
  }
  request.delay_seconds = 0;
  boost::json::object document = to_journal(request);
  document["asked_ns"] = asked.ns;
  document["due_ns"] = due.ns;
  store::Transaction transaction;
  transaction.put(std::string(kTimerPrefix) + std::to_string(request.cache),
                  boost::json::serialize(document));
  auto saved = co_await store_.commit(std::move(transaction));
  if (!saved.ok()) co_return saved.error();
  Timer timer{std::move(request), asked, due};
  delayed_.insert_or_assign(id, std::move(timer));
  co_return generation;
}

boost::asio::awaitable<base::Result<>> Flushes::load_timers() {
  auto entries = co_await store_.list(std::string(kTimerPrefix));
  if (!entries.ok()) co_return entries.error();
  for (const store::Entry& entry : *entries) {
    const auto journal = parse_journal(entry);
    const auto id = base::parse_u64(std::string_view(entry.key).substr(kTimerPrefix.size()));
    if (!journal || !id) continue;
    auto origin = parse_flush_origin(text_field(*journal, "origin"));
    FlushRequest request(static_cast<base::CacheId>(*id),
                         origin.ok() ? *origin : FlushOrigin::kAdminOperation,
                         text_field(*journal, "who"), text_field(*journal, "reason"));
    request.proxy = text_field(*journal, "proxy");
    base::WallTime asked, due;
    asked.ns = static_cast<int64_t>(number_field(*journal, "asked_ns"));
    due.ns = static_cast<int64_t>(number_field(*journal, "due_ns"));
    Timer timer{std::move(request), asked, due};
    delayed_.insert_or_assign(static_cast<base::CacheId>(*id), std::move(timer));
  }
  co_return base::Done{};
}

// A flush whose write was not known to have taken place, and has after all.
void Flushes::take_up_lost() {
  for (const ClusterSpec& cluster : region_.spec().clusters) {
    FlushStep step;
    step.cluster = cluster.name;
    step.sequence = tenants_.version(cluster.name).flush_sequence;
    if (clusters_[cluster.name].running) continue;
    if (tenants_.completed_flush(cluster.name) < step.sequence) begin(std::move(step));
  }
}

boost::asio::awaitable<void> Flushes::run_timers() {
  while (!gate_.closed()) {
    co_await timers_.wait_for_beat(kTimerLook);
    take_up_lost();
    std::vector<Timer> due;
    for (const auto& [id, timer] : delayed_) {
      if (timer.due <= timers_.clock().wall()) due.push_back(timer);
    }
    for (Timer& timer : due) {
      const base::CacheId id = timer.request.cache;
      auto flushed = co_await flush(timer.request);
      if (!flushed.ok() && flushed.code() != base::ErrorCode::kTimeout &&
          flushed.code() != base::ErrorCode::kNotFound) {
        base::log::warn("delayed_flush_failed", {{"error", flushed.error()}});
        continue;  // at the next look
      }
      const Turn::Held held = co_await turn_.take();
      const auto at = delayed_.find(id);
      if (at != delayed_.end() && at->second.due != timer.due) continue;  // set again meanwhile
      delayed_.erase(id);
      store::Transaction transaction;
      transaction.erase(std::string(kTimerPrefix) + std::to_string(id));
      auto erased = co_await store_.commit(std::move(transaction));
      if (!erased.ok()) {
        base::log::warn("flush_timer_not_closed", {{"error", erased.error()}});
      }
    }
  }
}

// One line a flush; it may come twice after a crash, with the same sequence.
void Flushes::log_line(const boost::json::object& journal, const FlushStep& step) const {
  const std::string proxy = text_field(journal, "proxy");
  const ProxySpec* spec = region_.proxy(proxy);
  std::string lines;
  for (const auto& [cache, generation] : step.caches) {
    const Cache* known = tenants_.cache(cache);
    if (known != nullptr && known->internal) continue;
    lines += timers_.clock().wall().to_rfc3339() + " cache=" + std::to_string(cache) +
             " generation=" + std::to_string(generation) + " cluster=" + step.cluster +
             " sequence=" + std::to_string(step.sequence) +
             " host=" + (spec == nullptr ? "-" : proxy + "/" + spec->address) +
             " origin=" + quoted(text_field(journal, "origin")) +
             " by=" + quoted(text_field(journal, "who")) +
             " reason=" + quoted(text_field(journal, "reason")) + "\n";
  }
  const std::string path = region_.spec().log_path("flush");
  const base::net::UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!file.valid() ||
      ::write(file.get(), lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
    base::log::error("flush_log_failed", {{"file", path}, {"flush", step.sequence}});
  }
}

}  // namespace agent::coord
