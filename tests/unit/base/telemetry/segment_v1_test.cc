#include "base/telemetry/segment_v1.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/segment_v1_file.h"
#include "tests/support/temp_dir.h"

namespace base::telemetry {
namespace {

using V1 = test::SegmentV1File;
constexpr Instant kRecordedAt{123'456'789'000};

std::unique_ptr<SegmentReader> open_v1(const std::string& path) {
  auto reader = SegmentReader::open(path);
  EXPECT_TRUE(reader.ok()) << (reader.ok() ? "" : reader.error().to_string());
  return std::move(*reader);
}

Histogram latencies_of(const SegmentReader& reader, LatencyKind kind) {
  Histogram sum;
  for (uint32_t w = 0; w < reader.workers(); ++w) reader.add_latencies(w, 1, kind, sum);
  return sum;
}

TEST(SegmentV1, ShowsHeaderCountersClientsAndPaceAsTheyAre) {
  test::TempDir dir;
  V1 file(dir.file("p.seg"), "amber-proxy-1", 2);
  file.add_backend("amber-backend-1");
  file.add_backend("amber-backend-2");
  file.header(V1::kEpoch, 5);
  file.worker(1, V1::kHeartbeat, 77);
  file.worker(1, V1::kConnections, 3);
  file.worker(1, V1::kRequests + 8 * static_cast<size_t>(Operation::kOther), 41);
  file.worker(1, V1::kFailures + 8 * static_cast<size_t>(Failure::kMemoryLimit), 6);
  file.backend(1, kMaxBackends - 1, V1::kConnected, 1);
  file.backend(1, 1, V1::kOldest, 99);
  file.client(1, kClientSlots - 1, 0xa, 4, 1000);
  file.record(1, 1, V1::kRead, 9ms, kRecordedAt, 2);
  file.record(1, 1, V1::kFence, 1ms, kRecordedAt, 3);

  const auto reader = open_v1(dir.file("p.seg"));
  EXPECT_EQ(reader->workers(), 2u);
  EXPECT_EQ(reader->header().committed_epoch.get(), 5u);
  EXPECT_EQ(reader->backend_names(),
            (std::vector<std::string>{"amber-backend-1", "amber-backend-2"}));
  const WorkerView worker = reader->worker(1);
  EXPECT_EQ(worker.counters.heartbeat_ns.get(), 77u);
  EXPECT_EQ(worker.counters.connections.get(), 3u);
  EXPECT_EQ(worker.counters.requests[static_cast<size_t>(Operation::kOther)].get(), 41u);
  ASSERT_EQ(worker.failures.size(), static_cast<size_t>(Failure::kMemoryLimit) + 1);
  EXPECT_EQ(worker.failures[static_cast<size_t>(Failure::kMemoryLimit)].get(), 6u);
  EXPECT_EQ(worker.backend(kMaxBackends - 1).counters.connected.get(), 1u);
  EXPECT_EQ(worker.backend(1).counters.oldest_in_flight_ns.get(), 99u);
  EXPECT_EQ(worker.clients[kClientSlots - 1].address[0].get(), 0xau);
  EXPECT_EQ(worker.clients[kClientSlots - 1].requests.get(), 1000u);
  const auto slot = static_cast<size_t>(kRecordedAt.ns / kPaceSlot.count());
  const Pace pace = unpack_pace(worker.backend(1).pace[slot % kPaceSlots].packed.get());
  EXPECT_EQ(pace.slot, slot);
  EXPECT_EQ(pace.slow, 2u);
  EXPECT_EQ(pace.fast, 3u);
  EXPECT_EQ(reader->detail(1).slow_seen.get(), 0u);
}

TEST(SegmentV1, FoldsItsHistogramsIntoTodays) {
  test::TempDir dir;
  V1 file(dir.file("p.seg"), "amber-proxy-1", 2);
  file.record(0, 1, V1::kRead, 300us, kRecordedAt, 60);
  file.record(1, 1, V1::kRead, 300us, kRecordedAt, 38);
  file.record(1, 1, V1::kRead, 40ms, kRecordedAt, 2);
  file.record(1, 1, V1::kWrite, 2ms, kRecordedAt, 10);
  file.record(0, 1, V1::kFence, 700us, kRecordedAt, 7);
  const auto reader = open_v1(dir.file("p.seg"));

  const Histogram reads = latencies_of(*reader, Operation::kGet);
  EXPECT_EQ(reads.count(), 100u);
  EXPECT_EQ(reads.sum_ns(), 98u * 300'000 + 2u * 40'000'000);
  EXPECT_NEAR(to_seconds(reads.quantile(0.5)), 300e-6, 300e-6 * 0.024);
  EXPECT_NEAR(to_seconds(reads.quantile(0.99)), 40e-3, 40e-3 * 0.024);
  EXPECT_EQ(reads.count_below(kSlowBound), 98u);
  EXPECT_EQ(latencies_of(*reader, Operation::kSet).count(), 10u);
  EXPECT_EQ(latencies_of(*reader, LatencyKind::fence()).count(), 7u);
  EXPECT_EQ(latencies_of(*reader, Operation::kGat).count(), 0u) << "reads count once";
  EXPECT_EQ(latencies_of(*reader, Operation::kDelete).count(), 0u) << "writes count once";
}

TEST(SegmentV1, FoldsEachBucketWithinItsError) {
  test::TempDir dir;
  for (int64_t ns = 1'100; ns < int64_t{1} << 34; ns += ns / 7) {
    V1 file(dir.file("p.seg"), "amber-proxy-1", 1);
    file.record(0, 1, V1::kWrite, Duration(ns), kRecordedAt, 3);
    const Histogram writes = latencies_of(*open_v1(dir.file("p.seg")), Operation::kSet);
    for (const double share : {0.0, 1.0}) {
      EXPECT_NEAR(to_seconds(writes.quantile(share)) * 1e9, double(ns), double(ns) * 0.024);
    }
  }
}

TEST(SegmentV1, CountsWhatLiesOutsideItsBuckets) {
  test::TempDir dir;
  V1 file(dir.file("p.seg"), "amber-proxy-1", 1);
  file.record(0, 1, V1::kRead, 1us, kRecordedAt);
  file.record(0, 1, V1::kWrite, 60s, kRecordedAt);
  const auto reader = open_v1(dir.file("p.seg"));
  EXPECT_EQ(latencies_of(*reader, Operation::kGet).quantile(1), 512ns);
  EXPECT_NEAR(to_seconds(latencies_of(*reader, Operation::kSet).quantile(1)), 17.2, 0.14);
}

TEST(SegmentV1, DifferencesOfTwoReadingsLoseNothing) {
  test::TempDir dir;
  V1 file(dir.file("p.seg"), "amber-proxy-1", 1);
  const auto reader = open_v1(dir.file("p.seg"));
  Histogram before;
  for (uint64_t times = 1; times < 6; ++times) {
    file.record(0, 1, V1::kRead, 3ms, kRecordedAt, times);
    const Histogram now = latencies_of(*reader, Operation::kGet);
    Histogram since;
    since.merge_since(before, now);
    EXPECT_EQ(since.count(), times);
    before = now;
  }
}

TEST(SegmentV1, IsRefusedWhenItsSizeIsWrong) {
  test::TempDir dir;
  const V1 file(dir.file("p.seg"), "amber-proxy-1", 2);
  std::filesystem::resize_file(dir.file("p.seg"), 3328 + 1943936);
  EXPECT_EQ(SegmentReader::open(dir.file("p.seg")).code(), ErrorCode::kInvalid);
}

}  // namespace
}  // namespace base::telemetry
