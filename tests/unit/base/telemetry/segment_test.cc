#include "base/telemetry/segment.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

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

// A backend's cells with a store for its latencies, in plain memory.
struct Backend {
  void record(LatencyKind kind, Duration latency, Instant now) {
    record_latency(writer, *cells, kind, latency, now);
  }
  Histogram latencies(LatencyKind kind) const {
    Histogram histogram;
    add_latencies(cells->latency[kind.index()], store.data(), store.size(), histogram);
    return histogram;
  }

  std::unique_ptr<BackendCells> cells = std::make_unique<BackendCells>();
  std::vector<LatencyGroup> store = std::vector<LatencyGroup>(kGroupsReservedAtOnce);
  LatencyWriter writer{store.data(), store.size(), store.size(), {}};
};

TEST(RecordLatency, CountsFastAndSlowInTheSlotOfNow) {
  Backend backend;
  const Instant now{55 * 10 * kMillisecond + 3};
  backend.record(Operation::kGet, 300us, now);
  backend.record(Operation::kGet, 4999us, now);
  backend.record(Operation::kSet, 5ms, now);
  backend.record(LatencyKind::fence(), 15ms, now);

  const Pace pace = unpack_pace(backend.cells->pace[55].packed.get());
  EXPECT_EQ(pace.slot, 55u);
  EXPECT_EQ(pace.fast, 2u);
  EXPECT_EQ(pace.slow, 2u);
  EXPECT_EQ(backend.latencies(Operation::kGet).count(), 2u);
  EXPECT_EQ(backend.latencies(Operation::kGet).sum_ns(), 5'299'000u);
  EXPECT_EQ(backend.latencies(Operation::kSet).count(), 1u);
  EXPECT_EQ(backend.latencies(LatencyKind::fence()).sum_ns(), 15'000'000u);
  EXPECT_EQ(backend.latencies(Operation::kDelete), Histogram());
}

TEST(RecordLatency, StartsAFreshCountWhenTheClockCrossesIntoAnotherSlot) {
  Backend backend;
  backend.record(Operation::kGet, 1ms, Instant{10 * kMillisecond - 1});
  backend.record(Operation::kGet, 1ms, Instant{10 * kMillisecond});
  EXPECT_EQ(unpack_pace(backend.cells->pace[0].packed.get()).fast, 1u);
  EXPECT_EQ(unpack_pace(backend.cells->pace[1].packed.get()).fast, 1u);

  // Once round the ring: the same cell, a new slot number, and nothing of the old counts.
  const int64_t round = static_cast<int64_t>(kPaceSlots) * 10 * kMillisecond;
  backend.record(Operation::kGet, 9ms, Instant{10 * kMillisecond + round});
  const Pace pace = unpack_pace(backend.cells->pace[1].packed.get());
  EXPECT_EQ(pace.slot, kPaceSlots + 1);
  EXPECT_EQ(pace.fast, 0u);
  EXPECT_EQ(pace.slow, 1u);
}

TEST(RecordLatency, KeepsTheLow24BitsOfTheSlotNumber) {
  Backend backend;
  const int64_t slot = (int64_t{1} << 24) + 5;
  backend.record(Operation::kGet, 1ms, Instant{slot * 10 * kMillisecond});
  const Pace pace = unpack_pace(backend.cells->pace[5].packed.get());
  EXPECT_EQ(pace.slot, 5u);
  EXPECT_EQ(pace.fast, 1u);
}

TEST(RecordLatency, PaceCountsSaturateWithoutSpillingIntoTheirNeighbours) {
  Backend backend;
  constexpr uint64_t kFull = (1u << 20) - 1;
  backend.cells->pace[3].packed.set(uint64_t{3} << 40 | kFull << 20 | kFull);
  backend.record(Operation::kGet, 1ms, Instant{30 * kMillisecond});
  backend.record(Operation::kGet, 50ms, Instant{30 * kMillisecond});
  const Pace pace = unpack_pace(backend.cells->pace[3].packed.get());
  EXPECT_EQ(pace.slot, 3u);
  EXPECT_EQ(pace.fast, kFull);
  EXPECT_EQ(pace.slow, kFull);
}

TEST(RecordLatency, TakesANegativeLatencyForZero) {
  Backend backend;
  backend.record(Operation::kGet, -3ms, Instant{0});
  EXPECT_EQ(backend.latencies(Operation::kGet).at({kOutside, 0}), 1u);
  EXPECT_EQ(backend.latencies(Operation::kGet).sum_ns(), 0u);
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
  EXPECT_EQ(reader->worker(0).counters.connections.get(), 0u);
  EXPECT_EQ(reader->worker(1).counters.connections.get(), 3u);
  EXPECT_EQ(reader->worker(1).counters.requests[0].get(), 41u);
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
  EXPECT_EQ(reader->worker(0).counters.get_hits.get(), 99u);
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
  EXPECT_EQ(old_reader->worker(0).counters.get_hits.get(), 1u);
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
      "version " + std::to_string(kSegmentVersion + 1)));
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

TEST(Segment, ReaderSaysWhichVersionsItReads) {
  test::TempDir dir;
  const std::string path = dir.file("p.seg");
  const auto writer = make(path, 2);
  overwrite(path, offsetof(SegmentHeader, version), kSegmentVersion + 1);
  const Error error = open_failure(path);
  EXPECT_TRUE(mentions(error.context, "version 3: expected 1 or 2; run an agent of"))
      << error.context;
}

TEST(Segment, EachFailureHasACellOfItsOwn) {
  test::TempDir dir;
  const auto writer = make(dir.file("p.seg"), 1);
  for (size_t i = 0; i < kFailureCount; ++i) writer->worker(0).failure(Failure(i)).add(i + 1);
  const auto reader = open(dir.file("p.seg"));
  for (size_t i = 0; i < kFailureCount; ++i) {
    EXPECT_EQ(reader->worker(0).failures[i].get(), i + 1) << to_string(Failure(i));
  }
}

TEST(Segment, DetailsOfAWorkerAreItsOwn) {
  test::TempDir dir;
  const auto writer = make(dir.file("p.seg"), 2);
  writer->detail(1).slow_seen.add();
  const auto reader = open(dir.file("p.seg"));
  EXPECT_EQ(reader->detail(0).slow_seen.get(), 0u);
  EXPECT_EQ(reader->detail(1).slow_seen.get(), 1u);
}

TEST(Segment, LatenciesAreReadByWorkerBackendAndKind) {
  test::TempDir dir;
  const auto writer = make(dir.file("p.seg"), 2);
  const auto record = [&](uint32_t worker, uint32_t backend, LatencyKind kind, Duration took) {
    record_latency(writer->latencies(worker), writer->worker(worker).backends[backend], kind, took,
                   Instant{0});
  };
  record(0, 0, Operation::kGet, 3ms);
  record(1, 0, Operation::kGet, 5ms);
  record(1, kMaxBackends - 1, LatencyKind::fence(), 200us);
  const auto reader = open(dir.file("p.seg"));
  const auto read = [&](uint32_t worker, uint32_t backend, LatencyKind kind) {
    Histogram from_reader, from_writer;
    reader->add_latencies(worker, backend, kind, from_reader);
    writer->add_latencies(worker, backend, kind, from_writer);
    EXPECT_EQ(from_reader, from_writer);
    return from_reader;
  };
  const auto only = [](Duration took) {
    Histogram histogram;
    histogram.record(took);
    return histogram;
  };
  EXPECT_EQ(read(0, 0, Operation::kGet), only(3ms));
  EXPECT_EQ(read(1, 0, Operation::kGet), only(5ms));
  EXPECT_EQ(read(1, kMaxBackends - 1, LatencyKind::fence()), only(200us));
  EXPECT_EQ(read(1, 0, Operation::kSet), Histogram());
  EXPECT_EQ(writer->latencies_lost(), 0u);
}

TEST(Segment, TakesMemoryForLatenciesAsTheyCome) {
  test::TempDir dir;
  const std::string path = dir.file("p.seg");
  const auto writer = make(path, 1);
  const auto used = [&] {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return static_cast<size_t>(info.st_blocks) * 512;
  };
  const size_t before = used();
  EXPECT_LT(before, std::filesystem::file_size(path) / 10);
  // All that may be: every octave and what lies outside, of every kind and backend.
  Histogram expected;
  for (uint32_t backend = 0; backend < kMaxBackends; ++backend) {
    for (size_t kind = 0; kind < LatencyKind::kCount; ++kind) {
      for (size_t group = 0; group < kOctaves; ++group) {
        const Duration took(histogram_upper_bound_ns(1 + group * kOctaveBuckets) - 1);
        record_latency(writer->latencies(0), writer->worker(0).backends[backend],
                       LatencyKind::nth(kind), took, Instant{0});
        expected.record(took);
      }
      record_latency(writer->latencies(0), writer->worker(0).backends[backend],
                     LatencyKind::nth(kind), 100s, Instant{0});
      expected.record(100s);
    }
  }
  const auto reader = open(path);
  Histogram all;
  for (uint32_t backend = 0; backend < kMaxBackends; ++backend) {
    for (size_t kind = 0; kind < LatencyKind::kCount; ++kind) {
      reader->add_latencies(0, backend, LatencyKind::nth(kind), all);
    }
  }
  EXPECT_EQ(all, expected);
  EXPECT_EQ(writer->latencies_lost(), 0u);
  EXPECT_GT(used(), before);
  EXPECT_LE(used(), std::filesystem::file_size(path) + 65536);
}

TEST(LatencyWriter, CountsWhatItHasNoRoomFor) {
  Backend backend;
  size_t recorded = 0;
  const auto record = [&](size_t kind, size_t group) {
    ++recorded;
    backend.writer.record(backend.cells->latency[kind],
                          histogram_upper_bound_ns(1 + group * kOctaveBuckets) - 1);
  };
  for (size_t kind = 0; kind < LatencyKind::kCount; ++kind) {
    for (size_t group = 0; group < kOctaves; ++group) record(kind, group);
  }
  EXPECT_EQ(backend.writer.groups(), backend.store.size());
  const uint64_t lost = backend.store[0].counts[0].get();
  EXPECT_EQ(recorded, backend.store.size() - 1 + lost);
  record(0, 0);  // where there is room it goes on
  EXPECT_EQ(backend.latencies(LatencyKind::nth(0)).count(), kOctaves + 1);
  EXPECT_EQ(backend.store[0].counts[0].get(), lost);
}

TEST(LatencyKind, KnowsItsLeg) {
  EXPECT_EQ(LatencyKind(Operation::kGet).leg(), Leg::kRead);
  EXPECT_EQ(LatencyKind(Operation::kGat).leg(), Leg::kRead);
  EXPECT_EQ(LatencyKind(Operation::kTouch).leg(), Leg::kWrite);
  EXPECT_EQ(LatencyKind::fence().leg(), Leg::kFence);
  EXPECT_TRUE(LatencyKind::nth(LatencyKind::kCount - 1).is_fence());
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
  const auto copy = [&](const WorkerView& view) { seen = view.counters.bytes_read.get(); };
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
  // Longer where the worker was put aside within a turn and none was whole.
  for (int i = 0; i < 200'000 || whole == 0; ++i) {
    uint64_t a = 0, b = 0, c = 0;
    const bool consistent = reader->consistent(0, [&](const WorkerView& view) {
      a = view.counters.get_hits.get();
      b = view.backend(kMaxBackends - 1).counters.requests.get();
      c = view.counters.newcomers_written.get();
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
