// scrape_cost: what a scrape costs the thread that answers it, in CPU time.
//
// The largest page there may be (2,000 caches, each with a full sample of its items), and a proxy's own
// page with 64 backends that have histograms; each in OpenMetrics, as it is and compressed as it is sent
// to Prometheus. Prints one line per figure, `name ours peer ratio bound ok|short`, in ms, and exits 1
// when one is short. Sizes are printed as comments.

#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include "base/core/check.h"
#include "base/net/http_text.h"
#include "base/telemetry/exposition.h"
#include "base/time/thread_time.h"
#include "proxy/admin/cache_metrics.h"
#include "proxy/admin/metrics.h"
#include "tests/support/temp_dir.h"

namespace {

using base::ThreadTime;
using base::telemetry::ExpositionFormat;
using proxy::admin::CacheChoice;
using proxy::tenant::Ledger;

constexpr int kRounds = 20;

// Prints what `page` costs and compressing it, each on average. Whether each is within its bound.
bool measure(const std::string& name, double page_bound, double gzip_bound,
             const std::function<std::string()>& page) {
  double pages = 0, compressions = 0;
  size_t plain = 0, compressed = 0;
  for (int round = 0; round < kRounds; ++round) {
    const base::Duration begun = ThreadTime::ran();
    const std::string text = page();
    const base::Duration made = ThreadTime::ran();
    compressed = base::net::gzip(text).size();
    compressions += base::to_seconds(ThreadTime::ran() - made) * 1e3;
    pages += base::to_seconds(made - begun) * 1e3;
    plain = text.size();
  }
  std::printf("# %s: %zu bytes, %zu compressed\n", name.c_str(), plain, compressed);
  const auto figure = [&](const char* what, double ms, double bound) {
    std::printf("%s_%s_ms %.2f - - %.1f %s\n", name.c_str(), what, ms, bound,
                ms <= bound ? "ok" : "short");
    return ms <= bound;
  };
  const bool page_ok = figure("page", pages / kRounds, page_bound);
  return figure("gzip", compressions / kRounds, gzip_bound) && page_ok;
}

void fill(Ledger& ledger, base::CacheId cache) {
  for (uint64_t i = 0; i < 2 * Ledger::kMostItems; ++i) {
    Ledger::Event event;
    event.generation = 1;
    event.hash = (i * 0x9e3779b97f4a7c15u + cache) & ~(Ledger::kFirstEvery - 1);
    event.bytes = 100;
    ledger.stored(event);
  }
}

bool measure_caches() {
  proxy::tenant::Accounts accounts(2);
  const auto directory = std::make_shared<proxy::tenant::Directory>();
  for (base::CacheId id = 1; id <= CacheChoice::kMostCaches; ++id) {
    proxy::tenant::Cache cache;
    cache.id = id;
    cache.limit_bytes = 100u << 20;
    directory->put_cache(cache);
    proxy::tenant::Account& account = accounts.open(id);
    for (size_t i = 0; i < proxy::tenant::kCountCount; ++i) {
      account.row(0).add(static_cast<proxy::tenant::Count>(i), 123'456'789u * (i + id));
    }
    fill(account.ledger(), id);
  }
  CacheChoice choice;
  choice.limit = CacheChoice::kMostCaches;
  return measure("scrape_2000_caches", 400, 50, [&] {
    proxy::admin::CachePage page(accounts, directory, choice, 1);
    while (page.read_more(CacheChoice::kMostCaches)) continue;
    return base::telemetry::expose(page.families(), ExpositionFormat::kOpenMetrics);
  });
}

bool measure_proxy() {
  const test::TempDir folder;
  auto segment =
      base::telemetry::SegmentWriter::create(folder.file("s.seg"), "bench-1", "bench", 2).value();
  const base::Instant now{1'000'000'000'000};
  for (size_t b = 0; b < base::telemetry::kMaxBackends; ++b) {
    const uint32_t at = segment->backend_index("bench-backend-" + std::to_string(b)).value();
    for (int64_t us = 50; us < 1'000'000; us *= 3) {
      for (size_t kind = 0; kind < base::telemetry::LatencyKind::kCount; ++kind) {
        record_latency(segment->latencies(b % 2), segment->worker(b % 2).backends[at],
                       base::telemetry::LatencyKind::nth(kind), base::Duration(us * 1000), now);
      }
    }
  }
  return measure("scrape_64_backends", 25, 10, [&] {
    return base::telemetry::expose(proxy::admin::collect_metrics(*segment, true, now),
                                   ExpositionFormat::kOpenMetrics);
  });
}

}  // namespace

int main() {
  const bool caches = measure_caches();
  return measure_proxy() && caches ? 0 : 1;
}
