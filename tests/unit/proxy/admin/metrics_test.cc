#include "proxy/admin/metrics.h"

#include <gtest/gtest.h>

#include <string>

#include "base/telemetry/exposition.h"
#include "tests/support/temp_dir.h"

namespace proxy::admin {
namespace {

using base::telemetry::LatencyKind;
using base::telemetry::Operation;
using std::chrono::microseconds;

class LatencyMetrics : public ::testing::Test {
 protected:
  void record(uint32_t worker, const char* backend, LatencyKind kind, base::Duration took,
              int times) {
    const uint32_t index = segment_->backend_index(backend).value();
    for (int i = 0; i < times; ++i) {
      base::telemetry::record_latency(segment_->latencies(worker),
                                      segment_->worker(worker).backends[index], kind, took,
                                      base::Instant{0});
    }
  }
  // Whether the page has that line.
  bool says(const std::string& line) const {
    return page().find("\n" + line + "\n") != std::string::npos;
  }
  // Whether it has that series.
  bool shows(const std::string& series) const {
    return page().find("\n" + series + " ") != std::string::npos;
  }
  std::string page() const {
    return base::telemetry::expose(collect_metrics(*segment_, true, base::Instant{1}),
                                   base::telemetry::ExpositionFormat::kText004);
  }

  const test::TempDir dir_;
  std::unique_ptr<base::telemetry::SegmentWriter> segment_ =
      base::telemetry::SegmentWriter::create(dir_.file("p.seg"), "amber-proxy-1", "amber", 2)
          .value();
};

TEST_F(LatencyMetrics, StandBesideWhatWorkersRanAndWaited) {
  segment_->detail(1).ran_ns.set(2'500'000'000);
  segment_->detail(1).waited_ns.set(250'000'000);
  EXPECT_TRUE(says("mcguard_proxy_worker_run_seconds_total{worker=\"0\"} 0"));
  EXPECT_TRUE(says("mcguard_proxy_worker_run_seconds_total{worker=\"1\"} 2.5"));
  EXPECT_TRUE(says("mcguard_proxy_worker_wait_seconds_total{worker=\"1\"} 0.25"));
  segment_->detail(0).waited_ns.set(base::telemetry::kUnknownTime);
  EXPECT_FALSE(shows("mcguard_proxy_worker_wait_seconds_total{worker=\"0\"}"));
  EXPECT_TRUE(shows("mcguard_proxy_worker_run_seconds_total{worker=\"0\"}"));
}

TEST_F(LatencyMetrics, AreSummedOverWorkersByLegAndByOperation) {
  record(0, "b1", Operation::kGet, microseconds(300), 5);
  record(1, "b1", Operation::kGet, microseconds(700), 2);
  record(1, "b1", Operation::kGat, microseconds(40), 1);
  record(1, "b2", Operation::kGet, microseconds(90), 4);
  record(0, "b2", Operation::kTouch, microseconds(2000), 3);
  record(0, "b2", LatencyKind::fence(), microseconds(100), 6);

  const std::string of_backend = "mcguard_proxy_backend_request_duration_seconds";
  EXPECT_TRUE(says(of_backend + "_bucket{backend=\"b1\",leg=\"read\",le=\"0.00025\"} 1"));
  EXPECT_TRUE(says(of_backend + "_bucket{backend=\"b1\",leg=\"read\",le=\"0.0005\"} 6"));
  EXPECT_TRUE(says(of_backend + "_bucket{backend=\"b1\",leg=\"read\",le=\"+Inf\"} 8"));
  EXPECT_TRUE(says(of_backend + "_sum{backend=\"b1\",leg=\"read\"} 0.00294"));
  EXPECT_TRUE(says(of_backend + "_count{backend=\"b1\",leg=\"write\"} 0"));
  EXPECT_TRUE(says(of_backend + "_count{backend=\"b2\",leg=\"write\"} 3"));
  EXPECT_TRUE(says(of_backend + "_count{backend=\"b2\",leg=\"fence\"} 6"));

  const std::string of_request = "mcguard_proxy_request_duration_seconds";
  EXPECT_TRUE(says(of_request + "_bucket{operation=\"get\",le=\"0.0001\"} 4"));
  EXPECT_TRUE(says(of_request + "_count{operation=\"get\"} 11"));
  EXPECT_TRUE(says(of_request + "_count{operation=\"touch\"} 3"));
  EXPECT_FALSE(says(of_request + "_count{operation=\"set\"} 0"));
  EXPECT_TRUE(says("mcguard_proxy_latencies_lost_total 0"));
}

}  // namespace
}  // namespace proxy::admin
