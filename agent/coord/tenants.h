// Tenants: caches and credentials, durable in the store, and what proxies need to know of them.
//
// Idea: every change is one store transaction that also raises the cluster's config generation (or,
// for a flush, its flush sequence), so that "what a proxy should have" is a pair of numbers that
// can be compared with its status. The recent changes are kept as deltas for the verb `change`;
// whoever is further behind gets the whole by `configure`. Proxies hold only salted verifiers; the
// password itself is sealed (secret_box.h).
//
// What it leaves out: delivery (proxy_sync.h) and waiting for proxies (flushes.h).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/coord/region.h"
#include "agent/coord/secret_box.h"
#include "agent/coord/turn.h"
#include "agent/store/store.h"
#include "base/core/result.h"
#include "base/core/secret.h"
#include "base/time/clock.h"

namespace agent::coord {

inline constexpr base::CacheId kMaxCacheId = (1u << 24) - 1;  // four base-64 digits of a stored key

struct Cache {
  base::CacheId id = 0;
  std::string label;
  std::string plan;
  std::string cluster;
  base::Generation generation = 1;
  uint64_t flushed_at = 0;  // sequence of its last flush; 0: none
  bool enabled = true;
  bool internal = false;          // the canary's: not shown to customers
  uint64_t limit_bytes = 0;       // 0: none
  uint32_t connection_limit = 0;  // per credential; 0: none
  std::string created_at;         // RFC 3339
};

struct Credential {
  std::string user;
  base::CacheId cache = 0;
  std::string salt;      // hex
  std::string verifier;  // hex, HMAC-SHA256(salt, password)
  std::string sealed;
  bool write = true;
  bool flush = false;
  bool api = true;
  bool primary = false;
  std::string created_at;
};

struct NewCache {
  std::string label;
  std::string plan = "standard";
  std::string cluster;
  bool internal = false;
  uint64_t limit_bytes = 0;
  uint32_t connection_limit = 0;
  NewCache(std::string l, std::string c) : label(std::move(l)), cluster(std::move(c)) {}
};

struct Capabilities {
  bool write = true;
  bool flush = true;
  bool api = true;
};

// A new credential with its password, which is shown once here and by reveal().
struct Issued {
  Credential credential;
  base::Secret password;
};
struct Created {
  Cache cache;
  Issued issued;
};

// What one flush changed: the caches with their new generations, in one cluster.
struct FlushStep {
  std::string cluster;
  uint64_t sequence = 0;
  std::vector<std::pair<base::CacheId, base::Generation>> caches;
};

struct TenantVersion {
  uint64_t generation = 0;  // of caches and credentials; grows with each change
  uint64_t flush_sequence = 0;
  // Of what proxies are told of a cache. An older one: they have to be told all of it once more.
  uint64_t form = 0;
};

// Thread: the control thread's; mutations are serialised. Owner: app.
// Invariant: memory holds what the store holds; the store is written first.
class Tenants {
 public:
  Tenants(boost::asio::any_io_executor executor, const Region& region, store::Store& store,
          const SecretBox& box, base::Clock& clock);

  // Reads everything. On an empty store creates the first caches: one customer cache on the first
  // cluster (and on each further one that has an open listener), one internal canary cache per
  // cluster.
  boost::asio::awaitable<base::Result<>> load();

  // Reads; pointers are valid until the next co_await.
  const Cache* cache(base::CacheId id) const;
  const Credential* credential(std::string_view user) const;
  std::vector<const Cache*> caches(std::string_view cluster = {}) const;
  std::vector<const Credential*> credentials(base::CacheId cache = 0) const;
  base::Result<base::Secret> reveal(std::string_view user) const;
  // The first customer cache of the region or of a cluster (what an open listener serves).
  const Cache* first_cache(std::string_view cluster = {}) const;
  // The canary's cache of a cluster with its credential.
  const Cache* canary_cache(std::string_view cluster) const;
  const Credential* primary_credential(base::CacheId cache) const;

  boost::asio::awaitable<base::Result<Created>> create_cache(NewCache wanted);
  boost::asio::awaitable<base::Result<>> set_cache_enabled(base::CacheId id, bool enabled);
  boost::asio::awaitable<base::Result<>> delete_cache(base::CacheId id);
  boost::asio::awaitable<base::Result<Issued>> create_credential(base::CacheId cache,
                                                                 Capabilities capabilities);
  boost::asio::awaitable<base::Result<>> update_credential(std::string user,
                                                           Capabilities capabilities);
  boost::asio::awaitable<base::Result<>> delete_credential(std::string user);

  // Raises generations and the flush sequence of the cluster; `journal` (document of the flush) is
  // written as /flushes/<cluster>/<sequence> in the same transaction. Empty `caches`: all of them.
  boost::asio::awaitable<base::Result<FlushStep>> bump(std::string cluster,
                                                       std::vector<base::CacheId> caches,
                                                       boost::json::object journal);

  // Flushes up to `sequence` are complete: every proxy has them or is fenced (flushes.h says when).
  // Not durable: after a restart whatever is still in the journal is completed once more.
  void complete_flushes(std::string_view cluster, uint64_t sequence);
  // For a new store when proxies or backends still know `sequence` from one that was lost: flushes are
  // numbered on from there, and the cluster's caches get generations that no earlier store can have
  // given them, so that nothing stored under the old ones is ever read.
  // `journal` as for bump().
  boost::asio::awaitable<base::Result<FlushStep>> recover(std::string cluster, uint64_t sequence,
                                                          boost::json::object journal);

  // What a proxy should have.
  TenantVersion version(std::string_view cluster) const;
  uint64_t completed_flush(std::string_view cluster) const;
  // {caches, credentials} for `configure`, as of version().
  boost::json::object full(std::string_view cluster) const;
  // {base, generation, caches, credentials, remove_…} for `change`; nullopt: too far behind.
  std::optional<boost::json::object> delta(std::string_view cluster, uint64_t from) const;
  // The flush after `sequence`; nullptr: not remembered.
  const FlushStep* flush_after(std::string_view cluster, uint64_t sequence) const;
  // Grows with every change of any cluster.
  uint64_t change_count() const { return changes_; }

 private:
  static constexpr size_t kDeltas = 256;
  static constexpr size_t kFlushes = 256;
  struct Delta {
    uint64_t generation = 0;
    // What was touched: to be upserted, or removed if it is no longer there.
    std::vector<base::CacheId> caches;
    std::vector<std::string> users;
  };
  struct PerCluster {
    TenantVersion version;
    store::Revision revision = 0;
    uint64_t completed_flush = 0;
    std::deque<Delta> deltas;       // at most kDeltas, consecutive generations
    std::deque<FlushStep> flushes;  // at most kFlushes, consecutive sequences
  };
  struct Mutation;
  boost::asio::awaitable<base::Result<>> apply(Mutation mutation);
  boost::asio::awaitable<base::Result<FlushStep>> flush(FlushStep step,
                                                        boost::json::object journal);
  boost::asio::awaitable<base::Result<>> commit(std::string cluster, TenantVersion version,
                                                store::Transaction transaction);
  boost::asio::awaitable<base::Result<>> create_first(std::string cluster, bool with_customer);
  boost::asio::awaitable<base::Result<>> load_entries();
  boost::asio::awaitable<base::Result<>> tell_anew(std::string cluster);
  boost::json::object told_of(const Cache& cache) const;
  Issued issue(base::CacheId cache, Capabilities capabilities, bool primary) const;

  const Region& region_;
  store::Store& store_;
  const SecretBox& box_;
  base::Clock& clock_;
  Turn turn_;
  std::map<base::CacheId, Cache> caches_;
  std::map<std::string, Credential, std::less<>> credentials_;
  std::map<std::string, PerCluster, std::less<>> clusters_;
  base::CacheId last_cache_ = 0;
  bool unsure_ = false;  // a write may or may not have taken place
  uint64_t changes_ = 0;
};

boost::json::object to_proxy_json(const Credential& credential);

}  // namespace agent::coord
