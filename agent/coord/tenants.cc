#include "agent/coord/tenants.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "agent/coord/tenant_json.h"
#include "base/core/check.h"
#include "base/core/rng.h"
#include "base/core/text.h"

namespace agent::coord {
namespace {

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

base::Error no_cache(base::CacheId id) {
  return base::Error(base::ErrorCode::kNotFound,
                     "no cache has id " + std::to_string(id) + "; `mcguard cache list` shows them",
                     base::Origin::kClient);
}

base::Error no_credential(std::string_view user) {
  return base::Error(base::ErrorCode::kNotFound,
                     "no credential is named " + base::printable(user, 40) +
                         "; `mcguard credential list` shows them",
                     base::Origin::kClient);
}

// What proxies are told of a cache. 1: also what makes its cas tokens.
constexpr uint64_t kForm = 1;

// Numbers of deleted caches are never given again: their keys may still be stored.
constexpr const char* kLastCacheKey = "/meta/last_cache";

// Seconds since 2026: more than any cache has been flushed since then, and less than a stored key's
// 30 bits can hold until 2060.
base::Generation recovered_generation(base::WallTime now) {
  constexpr int64_t kOriginSeconds = 1'767'225'600;
  constexpr int64_t kMost = (int64_t{1} << 30) - 1;
  return static_cast<base::Generation>(
      std::clamp<int64_t>(now.ns / 1'000'000'000 - kOriginSeconds, 1, kMost));
}

base::Error no_cluster(std::string_view name) {
  return base::Error(base::ErrorCode::kNotFound, "no cluster is named " + base::printable(name, 60),
                     base::Origin::kClient);
}

}  // namespace

// What one transaction changes in one cluster.
struct Tenants::Mutation {
  explicit Mutation(std::string c) : cluster(std::move(c)) {}
  std::string cluster;
  std::vector<Cache> put_caches;
  std::vector<Credential> put_users;
  std::vector<base::CacheId> erase_caches;
  std::vector<std::string> erase_users;
};

Tenants::Tenants(boost::asio::any_io_executor executor, const Region& region, store::Store& store,
                 const SecretBox& box, base::Clock& clock)
    : region_(region), store_(store), box_(box), clock_(clock), turn_(std::move(executor)) {
  for (const ClusterSpec& cluster : region.spec().clusters) clusters_[cluster.name];
}

boost::asio::awaitable<base::Result<>> Tenants::load() {
  auto loaded = co_await load_entries();
  if (!loaded.ok()) co_return loaded;
  bool first = true;
  for (const ClusterSpec& cluster : region_.spec().clusters) {
    const TenantVersion known = version(cluster.name);
    const bool fresh = known.generation == 0;
    if (!fresh && known.form < kForm) {
      auto told = co_await tell_anew(cluster.name);
      if (!told.ok()) co_return told;
    }
    const bool with_customer = fresh && (first || cluster.ports.open != 0);
    first = false;
    if (!with_customer && canary_cache(cluster.name) != nullptr) continue;
    auto created = co_await create_first(cluster.name, with_customer);
    if (!created.ok()) co_return created;
  }
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<>> Tenants::load_entries() {
  std::map<base::CacheId, Cache> caches_read;
  std::map<std::string, Credential, std::less<>> credentials_read;
  std::map<std::string, PerCluster, std::less<>> clusters_read;
  for (const auto& [name, present] : clusters_) {
    PerCluster& state = clusters_read[name];
    auto entry = co_await store_.get(tenants_key(name));
    if (!entry.ok()) co_return entry.error();
    if (!entry->has_value()) continue;
    auto version = parse_version((*entry)->key, (*entry)->value);
    if (!version.ok()) co_return version.error();
    state.version = *version;
    state.revision = (*entry)->modified;
    auto pending = co_await store_.list(flush_prefix(name));
    if (!pending.ok()) co_return pending.error();
    state.completed_flush = state.version.flush_sequence;
    for (const store::Entry& each : *pending) {
      const auto sequence = parse_flush_key(each.key);
      if (sequence && *sequence <= state.completed_flush) state.completed_flush = *sequence - 1;
    }
  }
  auto last = co_await store_.get(kLastCacheKey);
  if (!last.ok()) co_return last.error();
  if (last->has_value()) {
    last_cache_ = static_cast<base::CacheId>(base::parse_u64((*last)->value).value_or(0));
  }
  auto caches = co_await store_.list("/caches/");
  if (!caches.ok()) co_return caches.error();
  for (const store::Entry& entry : *caches) {
    auto cache = parse_cache(entry.key, entry.value);
    if (!cache.ok()) co_return cache.error();
    last_cache_ = std::max(last_cache_, cache->id);
    caches_read[cache->id] = std::move(*cache);
  }
  auto credentials = co_await store_.list("/credentials/");
  if (!credentials.ok()) co_return credentials.error();
  for (const store::Entry& entry : *credentials) {
    auto credential = parse_credential(entry.key, entry.value);
    if (!credential.ok()) co_return credential.error();
    credentials_read[credential->user] = std::move(*credential);
  }
  // All or nothing: a version beside the caches of another would be told to proxies.
  caches_.swap(caches_read);
  credentials_.swap(credentials_read);
  clusters_.swap(clusters_read);
  unsure_ = false;
  ++changes_;
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<>> Tenants::create_first(std::string cluster,
                                                             bool with_customer) {
  const Turn::Held held = co_await turn_.take();
  Mutation mutation(cluster);
  base::CacheId next = last_cache_ + 1;
  const auto add = [&](std::string label, bool internal) {
    Cache cache;
    cache.id = next++;
    cache.label = std::move(label);
    cache.plan = "standard";
    cache.cluster = cluster;
    cache.internal = internal;
    cache.created_at = clock_.wall().to_rfc3339();
    Capabilities capabilities;
    capabilities.api = !internal;
    mutation.put_users.push_back(issue(cache.id, capabilities, true).credential);
    mutation.put_caches.push_back(std::move(cache));
  };
  if (with_customer) add("first", false);
  if (canary_cache(cluster) == nullptr) add("canary", true);
  co_return co_await apply(std::move(mutation));
}

// An earlier version of the agent told proxies less of each cache.
boost::asio::awaitable<base::Result<>> Tenants::tell_anew(std::string cluster) {
  const Turn::Held held = co_await turn_.take();
  Mutation nothing(cluster);
  auto applied = co_await apply(std::move(nothing));
  // Without deltas everybody gets the whole.
  clusters_.find(cluster)->second.deltas.clear();
  co_return applied;
}

// The caller holds the turn.
boost::asio::awaitable<base::Result<>> Tenants::commit(std::string cluster, TenantVersion version,
                                                       store::Transaction transaction) {
  if (unsure_) {
    // Whether an earlier write took place is only known to the store: everything is read afresh.
    auto loaded = co_await load_entries();
    if (!loaded.ok()) co_return loaded;
    co_return base::Error(base::ErrorCode::kConflict,
                          "what the store holds had to be read again; try again",
                          base::Origin::kBackend, base::Retry::kSafe);
  }
  PerCluster& state = clusters_.find(cluster)->second;
  const std::string key = tenants_key(cluster);
  const std::string document = to_document(version);
  transaction.expect(key, state.revision).put(key, document);
  auto saved = co_await store_.commit(std::move(transaction));
  if (!saved.ok() && saved.code() == base::ErrorCode::kUnknown) {
    // One transaction: if the version is there, everything is.
    auto entry = co_await store_.get(key);
    if (entry.ok() && entry->has_value() && (*entry)->value == document) saved = (*entry)->modified;
    unsure_ = !entry.ok();
  }
  if (!saved.ok()) co_return saved.error();
  state.version = version;
  state.revision = *saved;
  ++changes_;
  co_return base::Done{};
}

// The caller holds the turn.
boost::asio::awaitable<base::Result<>> Tenants::apply(Mutation mutation) {
  TenantVersion next = version(mutation.cluster);
  ++next.generation;
  next.form = kForm;
  Delta delta;
  delta.generation = next.generation;
  store::Transaction transaction;
  base::CacheId last = last_cache_;
  for (const Cache& cache : mutation.put_caches) {
    last = std::max(last, cache.id);
    transaction.put(cache_key(cache.id), to_document(cache));
    delta.caches.push_back(cache.id);
  }
  for (const Credential& credential : mutation.put_users) {
    transaction.put(credential_key(credential.user), to_document(credential));
    delta.users.push_back(credential.user);
  }
  for (const base::CacheId id : mutation.erase_caches) {
    transaction.erase(cache_key(id));
    delta.caches.push_back(id);
  }
  for (const std::string& user : mutation.erase_users) {
    transaction.erase(credential_key(user));
    delta.users.push_back(user);
  }
  if (last != last_cache_) transaction.put(kLastCacheKey, std::to_string(last));
  auto saved = co_await commit(mutation.cluster, next, std::move(transaction));
  if (!saved.ok()) co_return saved;
  last_cache_ = last;
  for (Cache& cache : mutation.put_caches) caches_[cache.id] = std::move(cache);
  for (Credential& credential : mutation.put_users) {
    const std::string user = credential.user;
    credentials_[user] = std::move(credential);
  }
  for (const base::CacheId id : mutation.erase_caches) caches_.erase(id);
  for (const std::string& user : mutation.erase_users) credentials_.erase(user);
  std::deque<Delta>& deltas = clusters_.find(mutation.cluster)->second.deltas;
  deltas.push_back(std::move(delta));
  if (deltas.size() > kDeltas) deltas.pop_front();
  co_return base::Done{};
}

Issued Tenants::issue(base::CacheId cache, Capabilities capabilities, bool primary) const {
  Issued issued;
  Credential& credential = issued.credential;
  do {
    credential.user = upper(base::random_hex(3));
  } while (credentials_.contains(credential.user));
  issued.password = base::Secret(upper(base::random_hex(16)));
  const std::string salt = base::random_bytes(16);
  credential.cache = cache;
  credential.salt = base::hex_encode(salt);
  credential.verifier = base::hex_encode(hmac_sha256(salt, issued.password.reveal()));
  credential.sealed = box_.seal(issued.password, credential.user);
  credential.write = capabilities.write;
  credential.flush = capabilities.flush;
  credential.api = capabilities.api;
  credential.primary = primary;
  credential.created_at = clock_.wall().to_rfc3339();
  return issued;
}

boost::asio::awaitable<base::Result<Created>> Tenants::create_cache(NewCache wanted) {
  if (region_.cluster(wanted.cluster) == nullptr) co_return no_cluster(wanted.cluster);
  const Turn::Held held = co_await turn_.take();
  Created created;
  created.cache.id = last_cache_ + 1;
  if (created.cache.id > kMaxCacheId) {
    co_return base::Error(base::ErrorCode::kExhausted, "all cache numbers are used up");
  }
  created.cache.label = wanted.label;
  created.cache.plan = wanted.plan;
  created.cache.cluster = wanted.cluster;
  created.cache.internal = wanted.internal;
  created.cache.limit_bytes = wanted.limit_bytes;
  created.cache.connection_limit = wanted.connection_limit;
  created.cache.created_at = clock_.wall().to_rfc3339();
  created.issued = issue(created.cache.id, Capabilities(), true);
  Mutation mutation(wanted.cluster);
  mutation.put_caches.push_back(created.cache);
  mutation.put_users.push_back(created.issued.credential);
  auto applied = co_await apply(std::move(mutation));
  if (!applied.ok()) co_return applied.error();
  co_return created;
}

boost::asio::awaitable<base::Result<>> Tenants::set_cache_enabled(base::CacheId id, bool enabled) {
  const Turn::Held held = co_await turn_.take();
  const Cache* present = cache(id);
  if (present == nullptr) co_return no_cache(id);
  Mutation mutation(present->cluster);
  mutation.put_caches.push_back(*present);
  mutation.put_caches.back().enabled = enabled;
  co_return co_await apply(std::move(mutation));
}

boost::asio::awaitable<base::Result<>> Tenants::delete_cache(base::CacheId id) {
  const Turn::Held held = co_await turn_.take();
  const Cache* present = cache(id);
  if (present == nullptr) co_return no_cache(id);
  if (present->internal) {
    co_return base::Error(base::ErrorCode::kRefused,
                          "cache " + std::to_string(id) +
                              " is the canary's; mcguard needs it to see what customers see");
  }
  Mutation mutation(present->cluster);
  mutation.erase_caches.push_back(id);
  for (const Credential* credential : credentials(id)) {
    mutation.erase_users.push_back(credential->user);
  }
  co_return co_await apply(std::move(mutation));
}

boost::asio::awaitable<base::Result<Issued>> Tenants::create_credential(base::CacheId id,
                                                                        Capabilities capabilities) {
  const Turn::Held held = co_await turn_.take();
  const Cache* present = cache(id);
  if (present == nullptr) co_return no_cache(id);
  Issued issued = issue(id, capabilities, primary_credential(id) == nullptr);
  Mutation mutation(present->cluster);
  mutation.put_users.push_back(issued.credential);
  auto applied = co_await apply(std::move(mutation));
  if (!applied.ok()) co_return applied.error();
  co_return issued;
}

boost::asio::awaitable<base::Result<>> Tenants::update_credential(std::string user,
                                                                  Capabilities capabilities) {
  const Turn::Held held = co_await turn_.take();
  const Credential* present = credential(user);
  if (present == nullptr) co_return no_credential(user);
  const Cache* owner = cache(present->cache);
  CHECK(owner != nullptr);
  Mutation mutation(owner->cluster);
  Credential changed = *present;
  changed.write = capabilities.write;
  changed.flush = capabilities.flush;
  changed.api = capabilities.api;
  mutation.put_users.push_back(std::move(changed));
  co_return co_await apply(std::move(mutation));
}

boost::asio::awaitable<base::Result<>> Tenants::delete_credential(std::string user) {
  const Turn::Held held = co_await turn_.take();
  const Credential* present = credential(user);
  if (present == nullptr) co_return no_credential(user);
  const Cache* owner = cache(present->cache);
  CHECK(owner != nullptr);
  if (owner->internal) {
    co_return base::Error(base::ErrorCode::kRefused,
                          "credential " + user + " is the canary's; mcguard needs it");
  }
  Mutation mutation(owner->cluster);
  mutation.erase_users.push_back(user);
  co_return co_await apply(std::move(mutation));
}

boost::asio::awaitable<base::Result<FlushStep>> Tenants::bump(std::string cluster,
                                                              std::vector<base::CacheId> ids,
                                                              boost::json::object journal) {
  if (region_.cluster(cluster) == nullptr) co_return no_cluster(cluster);
  const Turn::Held held = co_await turn_.take();
  if (ids.empty()) {
    for (const Cache* each : caches(cluster)) ids.push_back(each->id);
  }
  FlushStep step;
  step.cluster = cluster;
  step.sequence = version(cluster).flush_sequence + 1;
  for (const base::CacheId id : ids) {
    const Cache* present = cache(id);
    if (present == nullptr || present->cluster != cluster) co_return no_cache(id);
    step.caches.emplace_back(id, present->generation + 1);
  }
  co_return co_await flush(std::move(step), std::move(journal));
}

boost::asio::awaitable<base::Result<FlushStep>> Tenants::recover(std::string cluster,
                                                                 uint64_t sequence,
                                                                 boost::json::object journal) {
  const Turn::Held held = co_await turn_.take();
  FlushStep step;
  step.cluster = cluster;
  step.sequence = std::max(sequence, version(cluster).flush_sequence) + 1;
  for (const Cache* each : caches(cluster)) {
    const base::Generation next =
        std::max(each->generation + 1, recovered_generation(clock_.wall()));
    step.caches.emplace_back(each->id, next);
  }
  co_return co_await flush(std::move(step), std::move(journal));
}

// The caller holds the turn. The step is durable when this succeeds.
boost::asio::awaitable<base::Result<FlushStep>> Tenants::flush(FlushStep step,
                                                               boost::json::object journal) {
  TenantVersion next = version(step.cluster);
  const bool follows = step.sequence == next.flush_sequence + 1;
  next.flush_sequence = step.sequence;
  store::Transaction transaction;
  boost::json::array named;
  for (const auto& [id, generation] : step.caches) {
    Cache flushed = *cache(id);
    flushed.generation = generation;
    flushed.flushed_at = step.sequence;
    transaction.put(cache_key(id), to_document(flushed));
    named.push_back(id);
  }
  journal["caches"] = std::move(named);
  journal["sequence"] = step.sequence;
  transaction.put(flush_key(step.cluster, step.sequence), boost::json::serialize(journal));
  auto saved = co_await commit(step.cluster, next, std::move(transaction));
  if (!saved.ok()) co_return saved.error();
  for (const auto& [id, generation] : step.caches) {
    caches_[id].generation = generation;
    caches_[id].flushed_at = step.sequence;
  }
  std::deque<FlushStep>& flushes = clusters_.find(step.cluster)->second.flushes;
  if (!follows) flushes.clear();  // what is remembered is consecutive
  flushes.push_back(step);
  if (flushes.size() > kFlushes) flushes.pop_front();
  co_return step;
}

void Tenants::complete_flushes(std::string_view cluster, uint64_t sequence) {
  const auto at = clusters_.find(cluster);
  CHECK(at != clusters_.end());
  uint64_t& completed = at->second.completed_flush;
  completed = std::max(completed, sequence);
}

base::Result<base::Secret> Tenants::reveal(std::string_view user) const {
  const Credential* found = credential(user);
  if (found == nullptr) return no_credential(user);
  return box_.unseal(found->sealed, found->user);
}

}  // namespace agent::coord
