#include "proxy/tenant/ledger.h"

#include <algorithm>
#include <cmath>

namespace proxy::tenant {

// A later generation begins with nothing; a request of an earlier one says nothing about this.
bool Ledger::follows(const Event& event) {
  if (event.generation > generation_) {
    generation_ = event.generation;
    every_ = kFirstEvery;
    items_.clear();
  }
  return event.generation == generation_ && event.hash % every_ == 0;
}

void Ledger::put(uint64_t hash, const Item& item) {
  const auto at = items_.find(hash);
  if (at != items_.end()) {
    at->second = item;
    return;
  }
  while (items_.size() >= kMostItems) {
    every_ *= 2;
    std::erase_if(items_, [this](const auto& entry) { return entry.first % every_ != 0; });
  }
  if (hash % every_ == 0) items_.emplace(hash, item);
}

void Ledger::stored(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (follows(event)) put(event.hash, {event.bytes + kOverhead, event.expires});
}

void Ledger::appended(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (!follows(event)) return;
  if (const auto at = items_.find(event.hash); at != items_.end()) at->second.bytes += event.bytes;
}

void Ledger::found(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (!follows(event)) return;
  const auto at = items_.find(event.hash);
  const uint32_t known = at == items_.end() ? 0 : at->second.expires;
  put(event.hash, {event.bytes + kOverhead, event.expires != 0 ? event.expires : known});
}

void Ledger::touched(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (!follows(event)) return;
  if (const auto at = items_.find(event.hash); at != items_.end())
    at->second.expires = event.expires;
}

void Ledger::deleted(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (follows(event)) items_.erase(event.hash);
}

void Ledger::missed(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (!follows(event)) return;
  const auto at = items_.find(event.hash);
  if (at == items_.end()) return;
  count_gone(at->second, event.now);
  items_.erase(at);
}

void Ledger::count_gone(const Item& item, uint32_t now) {
  // memcached's clock is a second coarse.
  const bool is_expired = item.expires != 0 && item.expires <= now + 1;
  (is_expired ? expired_ : evictions_) += every_;
}

// What is left is there, as far as is known.
void Ledger::expire(base::Generation generation, uint32_t now) {
  Event look;
  look.generation = generation;
  follows(look);
  std::erase_if(items_, [&](const auto& entry) {
    const Item& item = entry.second;
    if (item.expires == 0 || item.expires > now) return false;
    count_gone(item, now);
    return true;
  });
}

FollowedItems Ledger::followed(base::Generation generation, uint32_t now) {
  const std::lock_guard lock(mutex_);
  expire(generation, now);
  FollowedItems followed;
  followed.every = every_;
  followed.items.reserve(items_.size());
  for (const auto& [hash, item] : items_) followed.items.push_back({hash, item.bytes});
  return followed;
}

Estimate Ledger::estimate(base::Generation generation, uint32_t now) {
  const std::lock_guard lock(mutex_);
  expire(generation, now);
  Estimate estimate;
  uint64_t bytes = 0;
  for (const auto& [hash, item] : items_) bytes += item.bytes;
  estimate.items = items_.size() * every_;
  estimate.bytes = bytes * every_;
  estimate.evictions = evictions_;
  estimate.expired = expired_;
  estimate.error = items_.empty() ? 1 : std::min(1.0, 2 / std::sqrt(double(items_.size())));
  return estimate;
}

void Ledger::reset_counts() {
  const std::lock_guard lock(mutex_);
  evictions_ = expired_ = 0;
}

}  // namespace proxy::tenant
