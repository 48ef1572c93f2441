#include "base/telemetry/process_metrics.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

namespace base::telemetry {
namespace {

std::map<std::string, double> values() {
  std::map<std::string, double> values;
  for (const auto& family : process_families()) {
    const auto& metric = family.metric.at(0);
    const bool counter = family.type == prometheus::MetricType::Counter;
    values[family.name] = counter ? metric.counter.value : metric.gauge.value;
  }
  return values;
}

TEST(ProcessMetrics, SayWhatTheProcessTakes) {
  const auto now = values();
  EXPECT_EQ(now.size(), 5u);
  EXPECT_GT(now.at("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(now.at("process_max_fds"), now.at("process_open_fds"));
  EXPECT_GE(now.at("process_cpu_seconds_total"), 0);
  // Since 2020: civil time, not the time since the machine came up.
  EXPECT_GT(now.at("process_start_time_seconds"), 1.577e9);
}

TEST(ProcessMetrics, CountDescriptorsExactly) {
  const double before = values().at("process_open_fds");
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(values().at("process_open_fds"), before + 1);
  ::close(fd);
  EXPECT_EQ(values().at("process_open_fds"), before);
}

}  // namespace
}  // namespace base::telemetry
