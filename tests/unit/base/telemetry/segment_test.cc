#include "base/telemetry/segment.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <set>
#include <thread>

#include "tests/support/temp_dir.h"

namespace base::telemetry {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

std::unique_ptr<SegmentWriter> make(const std::string& path, uint32_t workers = 2) {
  auto writer = SegmentWriter::create(path, "amber-proxy-1", "amber", workers);
  EXPECT_TRUE(writer.ok()) << (writer.ok() ? "" : writer.error().to_string());
  return std::move(*writer);
}

std::unique_ptr<SegmentReader> open(const std::string& path) {
  auto reader = SegmentReader::open(path);
  EXPECT_TRUE(reader.ok()) << (reader.ok() ? "" : reader.error().to_string());
  return std::move(*reader);
}

template <class T>
void overwrite(const std::string& path, size_t offset, T value) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(reinterpret_cast<const char*>(&value), sizeof value);
}

Error open_failure(const std::string& path) {
  auto reader = SegmentReader::open(path);
  EXPECT_FALSE(reader.ok());
  return reader.ok() ? Error() : reader.error();
}

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

TEST(Histogram, BucketsAreContiguousAndEachValueLiesBelowItsBound) {
  EXPECT_EQ(histogram_bucket(0), 0u);
  EXPECT_EQ(histogram_bucket(-5), 0u);
  EXPECT_EQ(histogram_bucket(1023), 0u);
  EXPECT_EQ(histogram_bucket(1024), 1u);
  EXPECT_EQ(histogram_bucket((int64_t{1} << kHistogramMaxBits) - 1), kHistogramBuckets - 2);
  EXPECT_EQ(histogram_bucket(int64_t{1} << kHistogramMaxBits), kHistogramBuckets - 1);
  EXPECT_EQ(histogram_bucket(std::numeric_limits<int64_t>::max()), kHistogramBuckets - 1);
  for (size_t bucket = 0; bucket + 1 < kHistogramBuckets; ++bucket) {
    const int64_t bound = histogram_upper_bound_ns(bucket);
    EXPECT_EQ(histogram_bucket(bound - 1), bucket);
    EXPECT_EQ(histogram_bucket(bound), bucket + 1);
  }
  EXPECT_EQ(histogram_upper_bound_ns(kHistogramBuckets - 1), std::numeric_limits<int64_t>::max());
}

TEST(Histogram, MiddleOfABucketIsWithinOnePointSixPercentOfItsValues) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> bits(kHistogramMinBits, kHistogramMaxBits);
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<int64_t>(std::exp2(bits(random)));
    const size_t bucket = histogram_bucket(value);
    const auto high = static_cast<double>(histogram_upper_bound_ns(bucket));
    const auto low = static_cast<double>(histogram_upper_bound_ns(bucket - 1));
    EXPECT_NEAR((low + high) / 2, static_cast<double>(value), 0.016 * static_cast<double>(value));
  }
}

TEST(RecordLatency, CountsFastAndSlowInTheSlotOfNow) {
  auto cells = std::make_unique<BackendCells>();
  const Instant now{55 * 10 * kMillisecond + 3};
  record_latency(*cells, Leg::kRead, 300us, now);
  record_latency(*cells, Leg::kRead, 4999us, now);
  record_latency(*cells, Leg::kWrite, 5ms, now);
  record_latency(*cells, Leg::kFence, 15ms, now);

  const Pace pace = unpack_pace(cells->pace[55].packed.get());
  EXPECT_EQ(pace.slot, 55u);
  EXPECT_EQ(pace.fast, 2u);
  EXPECT_EQ(pace.slow, 2u);
  EXPECT_EQ(cells->latency[0][histogram_bucket(300'000)].get(), 1u);
  EXPECT_EQ(cells->latency_sum_ns[0].get(), 5'299'000u);
  EXPECT_EQ(cells->latency_sum_ns[1].get(), 5'000'000u);
  EXPECT_EQ(cells->latency[2][histogram_bucket(15 * kMillisecond)].get(), 1u);
}

TEST(RecordLatency, StartsAFreshCountWhenTheClockCrossesIntoAnotherSlot) {
  auto cells = std::make_unique<BackendCells>();
  record_latency(*cells, Leg::kRead, 1ms, Instant{10 * kMillisecond - 1});
  record_latency(*cells, Leg::kRead, 1ms, Instant{10 * kMillisecond});
  EXPECT_EQ(unpack_pace(cells->pace[0].packed.get()).fast, 1u);
  EXPECT_EQ(unpack_pace(cells->pace[1].packed.get()).fast, 1u);

  // Once round the ring: the same cell, a new slot number, and nothing of the old counts.
  const int64_t round = static_cast<int64_t>(kPaceSlots) * 10 * kMillisecond;
  record_latency(*cells, Leg::kRead, 9ms, Instant{10 * kMillisecond + round});
  const Pace pace = unpack_pace(cells->pace[1].packed.get());
  EXPECT_EQ(pace.slot, kPaceSlots + 1);
  EXPECT_EQ(pace.fast, 0u);
  EXPECT_EQ(pace.slow, 1u);
}

TEST(RecordLatency, KeepsTheLow24BitsOfTheSlotNumber) {
  auto cells = std::make_unique<BackendCells>();
  const int64_t slot = (int64_t{1} << 24) + 5;
  record_latency(*cells, Leg::kRead, 1ms, Instant{slot * 10 * kMillisecond});
  const Pace pace = unpack_pace(cells->pace[5].packed.get());
  EXPECT_EQ(pace.slot, 5u);
  EXPECT_EQ(pace.fast, 1u);
}

TEST(RecordLatency, PaceCountsSaturateWithoutSpillingIntoTheirNeighbours) {
  auto cells = std::make_unique<BackendCells>();
  constexpr uint64_t kFull = (1u << 20) - 1;
  cells->pace[3].packed.set(uint64_t{3} << 40 | kFull << 20 | kFull);
  record_latency(*cells, Leg::kRead, 1ms, Instant{30 * kMillisecond});
  record_latency(*cells, Leg::kRead, 50ms, Instant{30 * kMillisecond});
  const Pace pace = unpack_pace(cells->pace[3].packed.get());
  EXPECT_EQ(pace.slot, 3u);
  EXPECT_EQ(pace.fast, kFull);
  EXPECT_EQ(pace.slow, kFull);
}

TEST(RecordLatency, TakesANegativeLatencyForZero) {
  auto cells = std::make_unique<BackendCells>();
  record_latency(*cells, Leg::kRead, -3ms, Instant{0});
  EXPECT_EQ(cells->latency[0][0].get(), 1u);
  EXPECT_EQ(cells->latency_sum_ns[0].get(), 0u);
}

TEST(Segment, ReaderSeesWhatTheWriterWrote) {
  test::TempDir dir;
  auto writer = make(dir.file("p.seg"));
  writer->header().committed_epoch.set(7);
  writer->worker(1).connections.add(3);
  writer->worker(1).requests[static_cast<size_t>(Operation::kGet)].add(41);
  EXPECT_EQ(*writer->backend_index("amber-backend-1"), 0u);
  EXPECT_EQ(*writer->backend_index("amber-backend-2"), 1u);

  const auto reader = open(dir.file("p.seg"));
  EXPECT_STREQ(reader->header().proxy.data(), "amber-proxy-1");
  EXPECT_STREQ(reader->header().cluster.data(), "amber");
  EXPECT_EQ(reader->header().pid, ::getpid());
  EXPECT_EQ(reader->header().committed_epoch.get(), 7u);
  EXPECT_EQ(reader->workers(), 2u);
  EXPECT_EQ(reader->worker(0).connections.get(), 0u);
  EXPECT_EQ(reader->worker(1).connections.get(), 3u);
  EXPECT_EQ(reader->worker(1).requests[0].get(), 41u);
  EXPECT_EQ(reader->backend_names(),
            (std::vector<std::string>{"amber-backend-1", "amber-backend-2"}));
}

TEST(Segment, ReaderSurvivesTheWriterAndReadsItsLastWords) {
  test::TempDir dir;
  auto writer = make(dir.file("p.seg"));
  const auto reader = open(dir.file("p.seg"));
  writer->worker(0).get_hits.set(99);
  writer.reset();
  EXPECT_FALSE(std::filesystem::exists(dir.file("p.seg")));
  EXPECT_EQ(reader->worker(0).get_hits.get(), 99u);
  EXPECT_EQ(open_failure(dir.file("p.seg")).code, ErrorCode::kNotFound);
}

TEST(Segment, SuccessorReplacesTheFileAndThePredecessorLeavesItAlone) {
  test::TempDir dir;
  auto first = make(dir.file("p.seg"));
  first->worker(0).get_hits.set(1);
  const auto old_reader = open(dir.file("p.seg"));
  auto second = make(dir.file("p.seg"), 3);
  first.reset();

  const auto reader = open(dir.file("p.seg"));
  EXPECT_EQ(reader->workers(), 3u);
  EXPECT_NE(reader->header().generation, old_reader->header().generation);
  EXPECT_EQ(old_reader->worker(0).get_hits.get(), 1u);
}

TEST(Segment, LeavesNoOtherFilesBehind) {
  test::TempDir dir;
  { auto writer = make(dir.file("p.seg")); }
  EXPECT_FALSE(SegmentWriter::create(dir.file("q.seg"), std::string(64, 'x'), "amber", 1).ok());
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Segment, RefusesImpossibleNamesAndWorkerCounts) {
  test::TempDir dir;
  const auto create = [&](std::string_view proxy, std::string_view cluster, uint32_t workers) {
    return SegmentWriter::create(dir.file("p.seg"), proxy, cluster, workers);
  };
  EXPECT_EQ(create("p", "c", 0).code(), ErrorCode::kInvalid);
  EXPECT_EQ(create("p", "c", kMaxWorkers + 1).code(), ErrorCode::kInvalid);
  EXPECT_EQ(create("", "c", 1).code(), ErrorCode::kInvalid);
  EXPECT_EQ(create("p", std::string(64, 'c'), 1).code(), ErrorCode::kInvalid);
  EXPECT_TRUE(create(std::string(63, 'p'), "c", 1).ok());
  EXPECT_EQ(SegmentWriter::create(dir.file("no/p.seg"), "p", "c", 1).code(), ErrorCode::kNotFound);
}

TEST(Segment, BackendKeepsItsIndexAndTheTableHasAnEnd) {
  test::TempDir dir;
  auto writer = make(dir.file("p.seg"));
  for (uint32_t i = 0; i < kMaxBackends; ++i) {
    EXPECT_EQ(*writer->backend_index("backend-" + std::to_string(i)), i);
  }
  EXPECT_EQ(*writer->backend_index("backend-7"), 7u);
  EXPECT_EQ(writer->backend_index("one-more").code(), ErrorCode::kExhausted);
}

TEST(Segment, RefusesABackendNameThatDoesNotFit) {
  test::TempDir dir;
  auto writer = make(dir.file("p.seg"));
  EXPECT_EQ(writer->backend_index(std::string(48, 'b')).code(), ErrorCode::kInvalid);
  EXPECT_EQ(writer->backend_index("").code(), ErrorCode::kInvalid);
  EXPECT_TRUE(open(dir.file("p.seg"))->backend_names().empty());
}

TEST(Segment, ReaderRejectsWrongMagicVersionWorkersAndSizeAndSaysWhich) {
  test::TempDir dir;
  const std::string path = dir.file("p.seg");
  const auto broken = [&](auto breakage) {
    auto writer = make(path);
    breakage();
    const Error error = open_failure(path);
    EXPECT_EQ(error.code, ErrorCode::kInvalid);
    return error.context;
  };

  EXPECT_TRUE(mentions(broken([&] { overwrite(path, 0, uint64_t{0}); }), "magic"));
  EXPECT_TRUE(mentions(
      broken([&] { overwrite(path, offsetof(SegmentHeader, version), kSegmentVersion + 1); }),
      "version 2"));
  EXPECT_TRUE(
      mentions(broken([&] { overwrite(path, offsetof(SegmentHeader, version), uint32_t{0}); }),
               "version 0"));
  EXPECT_TRUE(
      mentions(broken([&] { overwrite(path, offsetof(SegmentHeader, workers), uint32_t{65}); }),
               "65 workers"));
  EXPECT_TRUE(mentions(
      broken([&] { overwrite(path, offsetof(SegmentHeader, workers), uint32_t{3}); }), "size"));
  EXPECT_TRUE(mentions(broken([&] { overwrite(path, offsetof(SegmentHeader, size), uint64_t{1}); }),
                       "size 1"));
  EXPECT_TRUE(mentions(broken([&] { std::filesystem::resize_file(path, 20); }), "shorter"));
  EXPECT_TRUE(mentions(
      broken([&] { std::filesystem::resize_file(path, sizeof(SegmentHeader) + 4096); }), "size"));
}

TEST(Segment, ReaderRejectsADirectory) {
  test::TempDir dir;
  EXPECT_EQ(open_failure(dir.path()).code, ErrorCode::kInvalid);
}

TEST(Segment, CopyIsTornWhileTheWorkerIsInsideATurnAndWholeAfterIt) {
  test::TempDir dir;
  auto writer = make(dir.file("p.seg"));
  const auto reader = open(dir.file("p.seg"));
  uint64_t seen = 0;
  const auto copy = [&](const WorkerBlock& block) { seen = block.bytes_read.get(); };
  {
    const TurnGuard turn(writer->worker(0));
    writer->worker(0).bytes_read.set(5);
    EXPECT_FALSE(reader->consistent(0, copy));
    EXPECT_EQ(seen, 5u);  // torn, yet there: a stopped worker must not blind the reader
  }
  EXPECT_TRUE(reader->consistent(0, copy));
}

TEST(Segment, ConsistentCopiesNeverMixTwoTurns) {
  test::TempDir dir;
  auto writer = make(dir.file("p.seg"));
  const auto reader = open(dir.file("p.seg"));
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    WorkerBlock& block = writer->worker(0);
    while (!stop.load(std::memory_order_relaxed)) {
      const TurnGuard turn(block);
      block.get_hits.add();
      block.backends[kMaxBackends - 1].requests.add();
      block.newcomers_written.add();
    }
  });
  int whole = 0;
  for (int i = 0; i < 200'000; ++i) {
    uint64_t a = 0, b = 0, c = 0;
    const bool consistent = reader->consistent(0, [&](const WorkerBlock& block) {
      a = block.get_hits.get();
      b = block.backends[kMaxBackends - 1].requests.get();
      c = block.newcomers_written.get();
    });
    if (!consistent) continue;
    ++whole;
    ASSERT_TRUE(a == b && b == c) << a << " " << b << " " << c;
  }
  stop = true;
  worker.join();
  EXPECT_GT(whole, 0);
}

TEST(SegmentNames, AreAllDifferentWords) {
  std::set<std::string_view> operations, failures;
  for (size_t i = 0; i < kOperationCount; ++i) operations.insert(to_string(Operation(i)));
  for (size_t i = 0; i < kFailureCount; ++i) failures.insert(to_string(Failure(i)));
  EXPECT_EQ(operations.size(), kOperationCount);
  EXPECT_EQ(failures.size(), kFailureCount);
  EXPECT_EQ(to_string(Operation::kCas), "cas");
  EXPECT_EQ(to_string(Operation::kOther), "other");
  EXPECT_EQ(to_string(Failure::kSlotMoving), "slot_moving");
  EXPECT_EQ(to_string(Failure::kMemoryLimit), "memory_limit");
  EXPECT_EQ(to_string(Leg::kFence), "fence");
}

}  // namespace
}  // namespace base::telemetry
