// Per-cache metrics: what each cache does through this proxy (docs/metrics.md "Caches").
//
// Apart from /metrics, since their number grows with the customers: whoever wants them scrapes them in
// a job of their own. Idea: a page shows at most `limit` caches, those of the lowest ids, and says
// how many it left out; which caches it shows does not depend on what they do, so that no counter
// comes and goes. More caches than that are scraped by several jobs, each with its range of ids.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/core/result.h"
#include "base/core/slots.h"
#include "proxy/tenant/accounts.h"
#include "proxy/tenant/directory.h"

namespace proxy::admin {

struct CacheChoice {
  static constexpr size_t kMostCaches = 2000;
  base::CacheId from = 0, to = UINT32_MAX;
  size_t limit = 500;
};

// Of a query string: `from`, `to`, `limit`, or `cache` alone. kInvalid names what is wrong.
base::Result<CacheChoice> parse_cache_choice(const std::map<std::string, std::string>& query);

// One page, read in pieces, since a cache with a full sample takes a tenth of a millisecond and others
// wait for the admin thread. Caches that no client has used since this process started have nothing to
// show. Thread: admin. Owner: the request.
class CachePage {
 public:
  // `now`: seconds of civil time. `accounts` outlives the page.
  CachePage(tenant::Accounts& accounts, tenant::DirectoryPtr directory, const CacheChoice& choice,
            uint32_t now);

  // Reads up to so many further caches; false: all that are shown have been read.
  bool read_more(size_t caches);
  std::vector<prometheus::MetricFamily> families() const;

 private:
  // One cache, read once for all families.
  struct Row {
    std::string id;
    uint64_t connections = 0, limit_bytes = 0;
    tenant::Counts counts{};
    tenant::Estimate estimate;
    double of(tenant::Count count) const {
      return static_cast<double>(counts[static_cast<size_t>(count)]);
    }
  };
  template <class Value>
  prometheus::MetricFamily family(const char* name, const char* help, prometheus::MetricType type,
                                  Value value) const;
  prometheus::MetricFamily requests() const;
  prometheus::MetricFamily limits() const;

  const tenant::DirectoryPtr directory_;
  const uint32_t now_;
  std::vector<std::pair<base::CacheId, tenant::Account*>> shown_;
  size_t left_out_ = 0;
  std::vector<Row> rows_;  // of the first of shown_
};

}  // namespace proxy::admin
