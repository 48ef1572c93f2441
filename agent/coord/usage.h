// What a cache holds, from what each proxy of its cluster knows.
//
// memcached knows no tenants. Each proxy follows a sample of the keys that it has seen, and all choose
// by the same hash (proxy/tenant/ledger.h). So the samples are put together item by item: what two
// proxies know of counts once. What one has stored and another has deleted stays until the first asks
// for it again: then there is less than is said.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/core/result.h"

namespace agent::coord {

// A proxy's answer to `usage`.
struct ProxyUsage {
  uint64_t generation = 0;
  uint64_t connections = 0;
  uint64_t evictions = 0, expired = 0;               // estimates, since it started
  uint64_t every = 1;                                // one key in so many is followed
  std::vector<std::pair<uint64_t, uint64_t>> items;  // hash, bytes
};
base::Result<ProxyUsage> parse_proxy_usage(const boost::json::value& value);

struct CacheUsage {
  uint64_t items = 0, bytes = 0;        // estimates
  double error = 0;                     // of items, relative, in nineteen cases of twenty
  uint64_t evictions = 0, expired = 0;  // estimates, since the proxies started
  uint64_t connections = 0;
  size_t proxies = 0;  // that answered
};
CacheUsage put_together(const std::vector<ProxyUsage>& known);

}  // namespace agent::coord
