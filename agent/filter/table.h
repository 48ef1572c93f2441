// FilterTable: the address filters of one node, wherever they are kept.
//
// A change is one transaction: all of it, or nothing. It is idempotent: adding what stands renews
// it (with a new ttl, and its counter begins anew), removing what is gone is no error. Filters end
// by themselves when their ttl is over, whoever is alive then.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/filter/filter.h"
#include "base/core/result.h"

namespace agent::filter {

struct FilterChange {
  struct Addition {
    Subject subject;
    Mode mode = Mode::kCount;
    std::string run;
    base::Duration ttl = kUsualTtl;
  };
  struct Removal {
    Subject subject;
    Mode mode = Mode::kCount;
  };
  std::string lock;    // "cluster/amber"
  uint64_t fence = 0;  // of the run's lock; 0: a person's or the agent's own act
  base::Instant deadline;
  std::vector<Addition> additions;
  std::vector<Removal> removals;
};

// How many new connections were answered with a reset, and how many with nothing, since the table
// was made.
struct Refusals {
  uint64_t reset = 0;
  uint64_t dropped = 0;
};
struct Standing {
  std::vector<Filter> filters;
  Refusals refusals;
};

// Thread: the control thread's. Owner: app. Errors: kRefused (an older fence, nothing happened),
// kInvalid (a wide ttl or an odd run name; a bug), kNotFound (no nft), kPermission, kUnavailable (a
// kernel that cannot), kUnknown (it may have happened, and asking did not help).
class FilterTable {
 public:
  virtual ~FilterTable() = default;
  virtual boost::asio::awaitable<base::Result<>> apply(FilterChange change) = 0;
  // Everything of ours that stands, also what an agent before this one made.
  virtual boost::asio::awaitable<base::Result<Standing>> list(base::Instant deadline) = 0;
  // Nothing of ours stands afterwards.
  virtual boost::asio::awaitable<base::Result<>> remove_all(base::Instant deadline) = 0;
};

}  // namespace agent::filter
