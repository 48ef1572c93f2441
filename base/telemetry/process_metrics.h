// What this process takes of the machine, under the names that every Prometheus client library uses,
// so that an operator's general alerts about processes hold for it too.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace base::telemetry {

// process_*: processor time, memory, descriptors with their limit, when it started. What the kernel
// does not say is left out. Costs some microseconds; before Linux 6.2 one look at each open
// descriptor. Thread: any.
std::vector<prometheus::MetricFamily> process_families();

}  // namespace base::telemetry
