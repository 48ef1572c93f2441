// Backend: a memcached in this process, for the fuzzer of tenants.
//
// Speaks the meta protocol over loopback with memcached's semantics, and is strict where memcached
// would lose step: every byte that the proxy sends must be a line it follows, with a key under the
// prefix of a cache that may be heard right now (the form of docs/architecture.md "Stored key", read
// here on its own account), and the value that the line announces. Anything else is a finding.
//
// Two things are simpler than in memcached, so that what one cache does can be compared between runs:
// cas numbers count per cache, and time stands still (an item has expired if its time lies in the
// past). What this leaves out: eviction, sizes, everything that is not a meta command.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/core/slots.h"
#include "base/net/fd.h"

namespace tenants {

// Caches are numbered from 1; the fuzzer has few.
inline constexpr size_t kMostCaches = 4;
using CacheSet = std::array<bool, kMostCaches>;

struct Item {
  std::string value;
  uint32_t flags = 0;
  int64_t exptime = 0;
  uint64_t cas = 0;
  bool fetched = false, stale = false, won = false;

  friend bool operator==(const Item&, const Item&) = default;
};
using Items = std::map<std::string, Item>;

// The cache whose prefix a stored key has. A key of no known form is a finding.
base::CacheId cache_of(std::string_view stored);
// The stored key of a plain short client key under the first epoch.
std::string stored_key(base::CacheId cache, base::Generation generation, std::string_view key);

// Thread: the fuzzer's. Invariant: between two calls of serve() all that was received is answered.
class Backend {
 public:
  Backend();

  uint16_t port() const { return port_; }
  // As if it had just started, but for the connection.
  void reset(std::string fence_record);
  void may_hear(const CacheSet& caches) { may_hear_ = caches; }
  void put(base::CacheId cache, std::string_view key, Item item);

  // Reads until `sent` bytes have come in all, and answers them. False: there was nothing to do.
  bool serve(uint64_t sent);
  // Bytes of answers in all.
  uint64_t answered() const { return answered_; }

  // A cache's items, and a digest of the commands it has sent.
  Items items_of(base::CacheId cache) const;
  uint64_t heard_of(base::CacheId cache) const { return heard_[cache]; }

 private:
  void receive(uint64_t sent);
  size_t obey_one(std::string_view input);
  void send();

  base::net::UniqueFd listener_, fd_;
  uint16_t port_ = 0;
  CacheSet may_hear_{};
  std::string fence_record_;
  Items items_;
  std::array<uint64_t, kMostCaches> cas_{}, heard_{};
  uint64_t received_ = 0, answered_ = 0;
  std::string in_, out_;
};

}  // namespace tenants
