#include "proxy/admin/cache_metrics.h"

#include <algorithm>
#include <utility>

#include "base/core/text.h"
#include "base/telemetry/exposition.h"

namespace proxy::admin {
namespace {

using base::telemetry::FamilyBuilder;
using base::telemetry::Labels;
using prometheus::MetricFamily;
using prometheus::MetricType;
using tenant::Count;

base::Result<> read_number(const std::map<std::string, std::string>& query, const char* name,
                           uint64_t least, uint64_t most, uint64_t& number) {
  const auto given = query.find(name);
  if (given == query.end()) return {};
  const auto parsed = base::parse_u64(given->second);
  if (!parsed || *parsed < least || *parsed > most) {
    return base::Error(base::ErrorCode::kInvalid, std::string(name) + ": expected a number from " +
                                                      std::to_string(least) + " to " +
                                                      std::to_string(most));
  }
  number = *parsed;
  return {};
}

}  // namespace

base::Result<CacheChoice> parse_cache_choice(const std::map<std::string, std::string>& query) {
  uint64_t from = 0, to = UINT32_MAX, limit = CacheChoice{}.limit;
  for (const auto& [name, value] : query) {
    if (name == "from" || name == "to" || name == "limit" || name == "cache") continue;
    return base::Error(base::ErrorCode::kInvalid,
                       name.substr(0, 64) + ": expected from, to, limit or cache");
  }
  if (query.contains("cache")) {
    if (query.size() > 1) {
      return base::Error(base::ErrorCode::kInvalid, "cache: expected without other parameters");
    }
    if (auto read = read_number(query, "cache", 0, UINT32_MAX, from); !read) return read.error();
    to = from;
  }
  if (auto read = read_number(query, "from", 0, UINT32_MAX, from); !read) return read.error();
  if (auto read = read_number(query, "to", from, UINT32_MAX, to); !read) return read.error();
  auto read = read_number(query, "limit", 1, CacheChoice::kMostCaches, limit);
  if (!read) return read.error();
  CacheChoice choice;
  choice.from = static_cast<base::CacheId>(from);
  choice.to = static_cast<base::CacheId>(to);
  choice.limit = static_cast<size_t>(limit);
  return choice;
}

CachePage::CachePage(tenant::Accounts& accounts, tenant::DirectoryPtr directory,
                     const CacheChoice& choice, uint32_t now)
    : directory_(std::move(directory)), now_(now) {
  for (const auto& known : accounts.between(choice.from, choice.to)) {
    if (directory_->caches.find(known.first) == nullptr) continue;  // deleted
    if (shown_.size() < choice.limit) {
      shown_.push_back(known);
    } else {
      ++left_out_;
    }
  }
}

bool CachePage::read_more(size_t caches) {
  const size_t end = std::min(shown_.size(), rows_.size() + caches);
  while (rows_.size() < end) {
    const auto& [id, account] = shown_[rows_.size()];
    const tenant::Cache& cache = *directory_->caches.find(id);
    Row row;
    row.id = std::to_string(id);
    row.connections = account->connections();
    row.limit_bytes = cache.limit_bytes;
    row.counts = account->totals();
    row.estimate = account->ledger().estimate(cache.generation, now_);
    rows_.push_back(std::move(row));
  }
  return rows_.size() < shown_.size();
}

template <class Value>
MetricFamily CachePage::family(const char* name, const char* help, MetricType type,
                               Value value) const {
  FamilyBuilder builder(name, help, type);
  for (const Row& row : rows_) builder.add({{"cache", row.id}}, value(row));
  return builder.build();
}

MetricFamily CachePage::requests() const {
  constexpr std::pair<const char*, Count> kOperations[] = {
      {"auth", Count::kAuthCommands},  {"delete", Count::kCommandDelete},
      {"flush", Count::kCommandFlush}, {"get", Count::kCommandGet},
      {"set", Count::kCommandSet},     {"touch", Count::kCommandTouch},
  };
  FamilyBuilder builder("mcguard_proxy_cache_requests_total",
                        "A cache's requests as `stats` counts them, by operation.",
                        MetricType::Counter);
  for (const Row& row : rows_) {
    for (const auto& [operation, count] : kOperations) {
      builder.add({{"cache", row.id}, {"operation", operation}}, row.of(count));
    }
  }
  return builder.build();
}

MetricFamily CachePage::limits() const {
  FamilyBuilder builder("mcguard_proxy_cache_limit_bytes",
                        "What a cache's items may take by its plan; absent: no limit is known.",
                        MetricType::Gauge);
  for (const Row& row : rows_) {
    if (row.limit_bytes != 0) builder.add({{"cache", row.id}}, double(row.limit_bytes));
  }
  return builder.build();
}

std::vector<MetricFamily> CachePage::families() const {
  std::vector<MetricFamily> families;
  const auto one = [&](const char* name, const char* help, double value) {
    FamilyBuilder builder(name, help, MetricType::Gauge);
    builder.add({}, value);
    families.push_back(builder.build());
  };
  const auto gauge = [&](const char* name, const char* help, auto value) {
    families.push_back(family(name, help, MetricType::Gauge, value));
  };
  const auto counter = [&](const char* name, const char* help, auto value) {
    families.push_back(family(name, help, MetricType::Counter, value));
  };
  one("mcguard_proxy_caches_shown", "Caches on this page.", double(rows_.size()));
  one("mcguard_proxy_caches_left_out",
      "Caches of the range that this page has no room for; raise `limit` or scrape by ranges.",
      double(left_out_));
  gauge("mcguard_proxy_cache_connections", "A cache's open client connections.",
        [](const Row& row) { return double(row.connections); });
  counter("mcguard_proxy_cache_connections_opened_total",
          "Connections that authenticated as a cache.",
          [](const Row& row) { return row.of(Count::kTotalConnections); });
  families.push_back(requests());
  counter("mcguard_proxy_cache_get_hits_total", "A cache's keys read and found.",
          [](const Row& row) { return row.of(Count::kGetHits); });
  counter("mcguard_proxy_cache_get_misses_total", "A cache's keys read and not found.",
          [](const Row& row) { return row.of(Count::kGetMisses); });
  counter("mcguard_proxy_cache_received_bytes_total", "Bytes read from a cache's clients.",
          [](const Row& row) { return row.of(Count::kBytesRead); });
  counter("mcguard_proxy_cache_sent_bytes_total", "Bytes written to a cache's clients.",
          [](const Row& row) { return row.of(Count::kBytesWritten); });
  gauge("mcguard_proxy_cache_items", "A cache's items, estimated from a sample of its keys.",
        [](const Row& row) { return double(row.estimate.items); });
  gauge("mcguard_proxy_cache_used_bytes", "What a cache's items take, estimated likewise.",
        [](const Row& row) { return double(row.estimate.bytes); });
  families.push_back(limits());
  counter("mcguard_proxy_cache_evictions_total",
          "A cache's items that went before their time, estimated likewise.",
          [](const Row& row) { return double(row.estimate.evictions); });
  counter("mcguard_proxy_cache_expired_total", "A cache's items that expired, estimated likewise.",
          [](const Row& row) { return double(row.estimate.expired); });
  return families;
}

}  // namespace proxy::admin
