// Metrics: the telemetry segment as Prometheus families (docs/metrics.md "Proxy").
//
// Sums the workers' blocks at scrape; nothing here is counted twice or kept. Histograms are offered
// with few bounds, each taken at the nearest edge of the segment's buckets (0.8 % off at most): the
// fine ones are for the agent.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "base/telemetry/segment.h"
#include "base/time/clock.h"
#include "proxy/frontend/tls_context.h"

namespace proxy::admin {

std::vector<prometheus::MetricFamily> collect_metrics(base::telemetry::SegmentWriter& segment,
                                                      bool ready, base::Instant now);
// `wanted` null: no TLS port is configured. `context` null: none is open. `now`: seconds since 1970.
void add_tls_metrics(std::vector<prometheus::MetricFamily>& families, const TlsCounts& counts,
                     const TlsListener* wanted, const TlsContext* context, int64_t now);
// `done`: whether the last reload was, true before the first.
void add_reload_metrics(std::vector<prometheus::MetricFamily>& families, bool done);
// `failed`: hand-overs that this process began and that were undone.
void add_handover_metrics(std::vector<prometheus::MetricFamily>& families, uint64_t failed);

}  // namespace proxy::admin
