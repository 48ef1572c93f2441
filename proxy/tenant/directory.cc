#include "proxy/tenant/directory.h"

#include <algorithm>

namespace proxy::tenant {
namespace {

// More flushes than this beyond a gap are not remembered one by one: the controller has to configure
// the proxy anyway.
constexpr size_t kMostAhead = 4096;

}  // namespace

void Cache::keep_flushes_of(const Cache& before) {
  generation = std::max(generation, before.generation);
  flushed_at = std::max(flushed_at, before.flushed_at);
}

void Directory::flushed_up_to(uint64_t sequence) {
  flush_sequence_ = std::max(flush_sequence_, sequence);
  close_gaps();
}

void Directory::complete_flushes(uint64_t up_to) {
  completed_flush_ = std::max(completed_flush_, up_to);
}

void Directory::put_cache(Cache cache) {
  if (const Cache* before = caches.find(cache.id)) cache.keep_flushes_of(*before);
  const base::CacheId id = cache.id;
  caches.put(id, std::move(cache));
}

FlushDecision Directory::flush(base::CacheId id, base::Generation to_generation,
                               uint64_t sequence) {
  if (sequence > flush_sequence_ && ahead_.size() < kMostAhead) ahead_.insert(sequence);
  close_gaps();
  const Cache* cache = caches.find(id);
  if (cache == nullptr) return FlushDecision::kUnknownCache;
  if (cache->generation >= to_generation) return FlushDecision::kAlreadyFlushed;
  Cache changed = *cache;
  changed.generation = to_generation;
  changed.flushed_at = std::max(changed.flushed_at, sequence);
  caches.put(id, std::move(changed));
  return FlushDecision::kFlushed;
}

void Directory::close_gaps() {
  while (!ahead_.empty() && *ahead_.begin() <= flush_sequence_ + 1) {
    flush_sequence_ = std::max(flush_sequence_, *ahead_.begin());
    ahead_.erase(ahead_.begin());
  }
}

}  // namespace proxy::tenant
