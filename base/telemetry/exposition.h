// Prometheus exposition: our own text of prometheus-cpp's model.
//
// Both daemons describe what they export as prometheus::MetricFamily values (the agent from a
// prometheus::Registry and computed families, the proxy from its telemetry segment). This file
// writes them: text format 0.0.4 or OpenMetrics 1.0 by the Accept header, HELP and label values
// escaped (prometheus-cpp's serializer does not escape HELP and prints 16 digits), shortest
// round-trip floats.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base::telemetry {

enum class ExpositionFormat { kText004, kOpenMetrics };
// What an Accept header likes best, by its q values; the text format when it says nothing that helps.
ExpositionFormat negotiate(std::string_view accept_header);
std::string_view content_type(ExpositionFormat format);
// Families of one name are written as one, whose HELP and TYPE are the first's. Bytes that are not
// UTF-8 become U+FFFD: one such label value would otherwise cost the whole scrape.
std::string expose(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format);

// Shorthands for building families.
using Labels = std::vector<std::pair<std::string, std::string>>;
class FamilyBuilder {
 public:
  FamilyBuilder(std::string name, std::string help, prometheus::MetricType type);
  FamilyBuilder& add(Labels labels, double value);
  // Cumulative counts per upper bound in seconds (without +Inf), then count and sum.
  FamilyBuilder& add_histogram(Labels labels,
                               const std::vector<std::pair<double, uint64_t>>& buckets,
                               uint64_t count, double sum_seconds);
  prometheus::MetricFamily build();  // moves out: call last

 private:
  prometheus::MetricFamily family_;
};

}  // namespace base::telemetry
