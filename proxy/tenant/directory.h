// Directory: the caches and credentials this proxy serves, as one immutable snapshot.
//
// Idea: workers read a snapshot without locks; the admin thread makes the next one by copying and
// changing. Both maps are split into shards that copies share until one is written to, so that a
// change of one credential among 100,000 caches copies a few hundred entries.
//
// Flushes: a cache's generation only rises. `flush_sequence` is the number up to which every flush
// of the cluster has been applied here, without a gap: a flush that overtook another raises the
// generation at once but not the sequence, so that the fence holds until the missing one is here.
// A flush has a second phase: until it is known to be complete (every other proxy has applied it or
// is fenced) this proxy takes no writes of that cache. Another one may still serve the old
// generation, and a value acknowledged here would be followed there by one that it had replaced.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/core/slots.h"
#include "base/memcache/cas_tokens.h"

namespace proxy::tenant {

struct Cache {
  base::CacheId id = 0;
  std::string label;
  base::Generation generation = 1;
  uint64_t flushed_at = 0;  // the sequence of its last flush; 0: none
  bool enabled = true;
  uint64_t limit_bytes = 0;       // 0: unknown
  uint32_t connection_limit = 0;  // 0: none
  base::memcache::CasSecret cas_secret{};

  // Flushes are never undone: takes over what an earlier snapshot of the cache has reached.
  void keep_flushes_of(const Cache& before);
};

struct Credential {
  std::string user;
  base::CacheId cache = 0;
  std::string salt, verifier;  // bytes; verifier = HMAC-SHA256(salt, password)
  bool write = false, flush = false, api = false;

  // Whether a connection that authenticated with `before` is still authenticated.
  bool continues(const Credential& before) const {
    return cache == before.cache && salt == before.salt && verifier == before.verifier;
  }
};

// A map in shards that its copies share. Thread: immutable while shared; changed by its owner only.
template <class Key, class Value>
class ShardedMap {
 public:
  static constexpr size_t kShards = 256;
  using Shard = std::unordered_map<Key, Value>;

  ShardedMap() = default;
  ShardedMap(const ShardedMap& other) : shards_(other.shards_), size_(other.size_) {}
  ShardedMap& operator=(const ShardedMap&) = delete;

  const Value* find(const Key& key) const {
    const auto& shard = shards_[index(key)];
    if (!shard) return nullptr;
    const auto found = shard->find(key);
    return found == shard->end() ? nullptr : &found->second;
  }
  void put(const Key& key, Value value) {
    size_ += own(key).insert_or_assign(key, std::move(value)).second ? 1 : 0;
  }
  void erase(const Key& key) {
    if (find(key) != nullptr) size_ -= own(key).erase(key);
  }
  size_t size() const { return size_; }
  void for_each(const std::function<void(const Value&)>& visit) const {
    for (const auto& shard : shards_) {
      if (!shard) continue;
      for (const auto& [key, value] : *shard) visit(value);
    }
  }

 private:
  static size_t index(const Key& key) {
    return (std::hash<Key>()(key) * 0x9e3779b97f4a7c15u) >> 56;
  }
  // The shard of a key as our own copy. Not use_count(): a reader that lets go at the same moment
  // would make it lie.
  Shard& own(const Key& key) {
    const size_t i = index(key);
    if (!owned_[i]) {
      shards_[i] = shards_[i] ? std::make_shared<Shard>(*shards_[i]) : std::make_shared<Shard>();
      owned_[i] = true;
    }
    return *shards_[i];
  }

  std::array<std::shared_ptr<Shard>, kShards> shards_;
  std::bitset<kShards> owned_;  // copies start with none
  size_t size_ = 0;
};

enum class FlushDecision : uint8_t {
  kFlushed,
  kAlreadyFlushed,  // the cache has this generation or a later one
  kUnknownCache,    // nothing to flush here; the sequence is still counted
};

// Thread: any while const. Invariant: generations, flush_sequence() and completed_flush() never go
// back from one snapshot to the next.
struct Directory {
  uint64_t generation = 0;  // of the configuration; 0: never configured
  ShardedMap<base::CacheId, Cache> caches;
  ShardedMap<std::string, Credential> credentials;

  uint64_t flush_sequence() const { return flush_sequence_; }
  // Every flush up to this one is complete on all proxies.
  uint64_t completed_flush() const { return completed_flush_; }
  // Whether writes of the cache must wait.
  bool is_flushing(const Cache& cache) const { return cache.flushed_at > completed_flush_; }

  // Everything up to `sequence` is contained in what was just configured.
  void flushed_up_to(uint64_t sequence);
  void complete_flushes(uint64_t up_to);
  // An upsert that never lowers a generation.
  void put_cache(Cache cache);
  FlushDecision flush(base::CacheId cache, base::Generation to_generation, uint64_t sequence);

 private:
  void close_gaps();

  uint64_t flush_sequence_ = 0;
  uint64_t completed_flush_ = 0;
  std::set<uint64_t> ahead_;  // applied, but a lower one is missing
};

using DirectoryPtr = std::shared_ptr<const Directory>;

}  // namespace proxy::tenant
