// Metrics: the telemetry segment as Prometheus families (docs/metrics.md "Proxy").
//
// Sums the workers' blocks at scrape; nothing here is counted twice or kept. Histograms are offered
// with coarse bounds, since the fine ones of the segment are for the agent.
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
// `context` null: no TLS port, and no certificates.
void add_tls_metrics(std::vector<prometheus::MetricFamily>& families, const TlsCounts& counts,
                     const TlsContext* context);

}  // namespace proxy::admin
