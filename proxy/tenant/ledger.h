// Ledger: about how many items a cache has and how large they are, from a sample of its keys.
//
// memcached knows no tenants, so nobody can be asked. Idea: a key's hash decides whether it is
// followed, so that every request for it is seen, whichever worker serves it: what is stored, read,
// deleted and missed of one key in 64 tells what the cache holds. When the sample is full half of the
// keys, again by their hash, are no longer followed; so it has a fixed size and the error stays about
// 2 / sqrt(sample): 6 % at 1,000 followed items, 25 % at 64.
//
// What it cannot know: what clients of other proxies store until this proxy reads it; items that were
// there before it started, likewise; whether a key that is gone was deleted through another proxy (it
// counts as evicted).
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/core/slots.h"

namespace proxy::tenant {

struct Estimate {
  uint64_t items = 0, bytes = 0;
  uint64_t evictions = 0, expired = 0;  // since the last reset
  double error = 0;                     // of items, relative, in nineteen cases of twenty
};

// The items that are followed, so that what several proxies follow can be told apart: all choose by
// the same hash.
struct FollowedItems {
  uint64_t every = 0;  // one key in so many
  struct Item {
    uint64_t hash = 0;
    uint32_t bytes = 0;
  };
  std::vector<Item> items;
};

// Thread: any; taken for followed keys only. Owner: the cache's account.
class Ledger {
 public:
  static constexpr uint64_t kFirstEvery = 64;  // one key in so many
  static constexpr size_t kMostItems = 2048;
  // What memcached adds to an item of ours: header with cas, the stored key's prefix, ends of lines.
  static constexpr uint32_t kOverhead = 56 + 14 + 3;

  // What a request means to an item. `hash`: hash64(key, cache), whose low bits are the key's slot.
  struct Event {
    base::Generation generation = 0;
    uint64_t hash = 0;
    uint32_t bytes = 0;    // key and value
    uint32_t expires = 0;  // seconds of civil time; 0: never, or not known
    uint32_t now = 0;
  };
  static bool may_follow(base::Slot slot) { return slot % kFirstEvery == 0; }

  void stored(const Event& event);
  void appended(const Event& event);  // bytes: of what was added to the value
  void found(const Event& event);     // by a read
  void touched(const Event& event);   // a new expiry
  void deleted(const Event& event);
  void missed(const Event& event);

  Estimate estimate(base::Generation generation, uint32_t now);
  FollowedItems followed(base::Generation generation, uint32_t now);
  void reset_counts();

 private:
  struct Item {
    uint32_t bytes = 0, expires = 0;
  };
  bool follows(const Event& event);
  void expire(base::Generation generation, uint32_t now);
  void put(uint64_t hash, const Item& item);
  void count_gone(const Item& item, uint32_t now);

  std::mutex mutex_;  // guards all below
  base::Generation generation_ = 0;
  uint64_t every_ = kFirstEvery;  // a power of two
  std::unordered_map<uint64_t, Item> items_;
  uint64_t evictions_ = 0, expired_ = 0;
};

}  // namespace proxy::tenant
