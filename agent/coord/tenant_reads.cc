// The reading half of Tenants: look-ups, and what proxies are told.
#include <boost/json/array.hpp>
#include <set>

#include "agent/coord/tenants.h"
#include "base/core/check.h"
#include "base/core/text.h"

namespace agent::coord {

const Cache* Tenants::cache(base::CacheId id) const {
  const auto at = caches_.find(id);
  return at == caches_.end() ? nullptr : &at->second;
}

const Credential* Tenants::credential(std::string_view user) const {
  const auto at = credentials_.find(user);
  return at == credentials_.end() ? nullptr : &at->second;
}

std::vector<const Cache*> Tenants::caches(std::string_view cluster) const {
  std::vector<const Cache*> found;
  for (const auto& [id, each] : caches_) {
    if (cluster.empty() || each.cluster == cluster) found.push_back(&each);
  }
  return found;
}

std::vector<const Credential*> Tenants::credentials(base::CacheId id) const {
  std::vector<const Credential*> found;
  for (const auto& [user, each] : credentials_) {
    if (id == 0 || each.cache == id) found.push_back(&each);
  }
  return found;
}

const Cache* Tenants::first_cache(std::string_view cluster) const {
  for (const Cache* each : caches(cluster)) {
    if (!each->internal && each->enabled) return each;
  }
  return nullptr;
}

const Cache* Tenants::canary_cache(std::string_view cluster) const {
  for (const Cache* each : caches(cluster)) {
    if (each->internal) return each;
  }
  return nullptr;
}

const Credential* Tenants::primary_credential(base::CacheId id) const {
  const auto found = credentials(id);
  for (const Credential* each : found) {
    if (each->primary) return each;
  }
  return found.empty() ? nullptr : found.front();
}

TenantVersion Tenants::version(std::string_view cluster) const {
  const auto at = clusters_.find(cluster);
  return at == clusters_.end() ? TenantVersion() : at->second.version;
}

uint64_t Tenants::completed_flush(std::string_view cluster) const {
  const auto at = clusters_.find(cluster);
  CHECK(at != clusters_.end());
  return at->second.completed_flush;
}

boost::json::object Tenants::told_of(const Cache& cache) const {
  constexpr size_t kLongestLabel = 250;  // what a proxy takes; one bad label must not stop the rest
  boost::json::object o;
  o["id"] = cache.id;
  o["label"] = cache.label.substr(0, kLongestLabel);
  o["generation"] = cache.generation;
  o["flushed_at"] = cache.flushed_at;
  o["enabled"] = cache.enabled;
  o["limit_bytes"] = cache.limit_bytes;
  o["connection_limit"] = cache.connection_limit;
  o["cas_secret"] =
      base::hex_encode(box_.derive("cas tokens of cache " + std::to_string(cache.id)));
  return o;
}

boost::json::object Tenants::full(std::string_view cluster) const {
  boost::json::array cache_list;
  boost::json::array credential_list;
  std::set<base::CacheId> members;
  for (const Cache* each : caches(cluster)) {
    members.insert(each->id);
    cache_list.push_back(told_of(*each));
  }
  for (const auto& [user, each] : credentials_) {
    if (members.contains(each.cache)) credential_list.push_back(to_proxy_json(each));
  }
  boost::json::object object;
  object["caches"] = std::move(cache_list);
  object["credentials"] = std::move(credential_list);
  return object;
}

std::optional<boost::json::object> Tenants::delta(std::string_view cluster, uint64_t from) const {
  const PerCluster& state = clusters_.find(cluster)->second;
  if (from == 0 || from >= state.version.generation) return std::nullopt;
  if (state.deltas.empty() || state.deltas.front().generation > from + 1) return std::nullopt;
  std::set<base::CacheId> touched_caches;
  std::set<std::string> touched_users;
  for (const Delta& each : state.deltas) {
    if (each.generation <= from) continue;
    touched_caches.insert(each.caches.begin(), each.caches.end());
    touched_users.insert(each.users.begin(), each.users.end());
  }
  boost::json::array put_caches, put_users, remove_caches, remove_users;
  for (const base::CacheId id : touched_caches) {
    if (const Cache* present = cache(id)) {
      put_caches.push_back(told_of(*present));
    } else {
      remove_caches.push_back(id);
    }
  }
  for (const std::string& user : touched_users) {
    if (const Credential* present = credential(user)) {
      put_users.push_back(to_proxy_json(*present));
    } else {
      remove_users.push_back(boost::json::string(user));
    }
  }
  boost::json::object object;
  object["base"] = from;
  object["generation"] = state.version.generation;
  object["caches"] = std::move(put_caches);
  object["credentials"] = std::move(put_users);
  object["remove_caches"] = std::move(remove_caches);
  object["remove_credentials"] = std::move(remove_users);
  return object;
}

const FlushStep* Tenants::flush_after(std::string_view cluster, uint64_t sequence) const {
  const PerCluster& state = clusters_.find(cluster)->second;
  for (const FlushStep& step : state.flushes) {
    if (step.sequence == sequence + 1) return &step;
  }
  return nullptr;
}

}  // namespace agent::coord
