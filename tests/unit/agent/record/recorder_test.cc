#include "agent/record/recorder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "base/core/file.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/record/full_disk.h"

namespace agent::record {
namespace {

using namespace std::chrono_literals;

struct Bench {
  test::TempDir dir;
  test::ManualClock clock;
  boost::asio::io_context disk;
  std::string folder = dir.file("state/record");
  std::unique_ptr<Recorder> recorder;
  int saved = 0;      // times that the detector had to say what it has learned
  uint64_t told = 0;  // events

  explicit Bench(uint64_t limit) { restart(limit); }
  void restart(uint64_t limit) {
    recorder = std::make_unique<Recorder>(Recorder::Options{folder, limit}, disk.get_executor(),
                                          clock, [this] {
                                            ++saved;
                                            return std::string("{}");
                                          });
    recorder->start();
  }
  // Ticks ten times a second, each with `samples` of values that cost nine bytes.
  void run(base::Duration length, int samples, bool disk_works = true) {
    for (base::Duration at{0}; at < length; at += 100ms) {
      clock.advance(100ms);
      for (int i = 0; i < samples; ++i) {
        recorder->observe({{"x", "amber", "", "", ""}, clock.now(), 0.1 + i * 1e-15, 1});
      }
      recorder->tick(clock.now());
      told += static_cast<uint64_t>(samples) + 1;
      if (disk_works) write();
    }
  }
  void write() {
    disk.restart();
    disk.run();
  }
  struct Read {
    size_t samples = 0, ticks = 0, starts = 0, checkpoints = 0, damaged = 0;
    uint64_t dropped = 0, bytes = 0;
    std::vector<SegmentFile> files;
  };
  Read read() {
    Read found;
    found.files = list_segments(folder).value();
    for (const SegmentFile& file : found.files) {
      const std::string bytes = base::read_file(file.path).value();
      found.bytes += bytes.size();
      series::RecordingDecoder decoder;
      decoder.add(bytes);
      while (const auto events = decoder.next_block()) {
        for (const series::Event& event : *events) {
          found.samples += std::holds_alternative<series::Sample>(event);
          found.ticks += std::holds_alternative<series::Tick>(event);
          found.starts += std::holds_alternative<series::Started>(event);
          found.checkpoints += std::holds_alternative<series::Checkpoint>(event);
          if (const auto* lost = std::get_if<series::Dropped>(&event))
            found.dropped += lost->events;
        }
      }
      found.damaged += decoder.damaged();
    }
    return found;
  }
};

TEST(Recorder, KeepsEverythingThatWasTold) {
  Bench bench(16 << 20);
  bench.run(20s, 5);
  bench.recorder->flush();
  EXPECT_FALSE(bench.recorder->is_written());
  bench.write();
  EXPECT_TRUE(bench.recorder->is_written());
  const auto read = bench.read();
  EXPECT_EQ(read.samples, 1000U);
  EXPECT_EQ(read.ticks, 200U);
  EXPECT_EQ(read.starts, 1U);
  EXPECT_EQ(read.damaged, 0U);
  struct stat about {};
  ASSERT_EQ(::stat(read.files[0].path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
}

TEST(Recorder, StaysWithinItsLimitAndKeepsTheNewest) {
  constexpr uint64_t kLimit = 1 << 20;
  Bench bench(kLimit);
  bench.run(60s, 500);
  const auto read = bench.read();
  EXPECT_LE(read.bytes, kLimit);
  EXPECT_GE(read.bytes, kLimit * 3 / 4);
  EXPECT_EQ(read.starts, 0U);  // long gone
  EXPECT_EQ(read.checkpoints, read.files.size());
  EXPECT_EQ(read.dropped, 0U);
}

TEST(Recorder, GoesOnAfterARestartBesideWhatIsThere) {
  Bench bench(16 << 20);
  bench.run(5s, 5);
  // Killed: what was not handed over is lost, a torn end stays.
  const auto before = bench.read();
  const std::string path = before.files.back().path;
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  bench.restart(16 << 20);
  bench.run(5s, 5);
  const auto after = bench.read();
  EXPECT_EQ(after.starts, 2U);
  EXPECT_EQ(after.files.size(), 2U);
  EXPECT_GT(after.damaged, 0U);
  EXPECT_GT(after.samples, before.samples);
}

TEST(Recorder, LeavesOutAndCountsWhenTheDiskStandsStillAndNeverWaits) {
  Bench bench(64 << 20);
  bench.run(1s, 5);
  bench.run(100s, 2000, false);  // some 18 MB
  EXPECT_GT(bench.recorder->counts().behind, 0U);
  bench.write();
  bench.run(3s, 5);
  const auto read = bench.read();
  EXPECT_EQ(read.dropped, bench.recorder->counts().left_out());
  EXPECT_EQ(read.damaged, 0U);
  EXPECT_EQ(read.starts, 1U);
}

TEST(Recorder, BeginsAgainWhenTheFolderCanBeWritten) {
  Bench bench(16 << 20);
  std::filesystem::create_directories(bench.dir.file("state"));
  ASSERT_TRUE(base::write_file_atomic(bench.folder, "in the way", base::Durability::kRenameOnly));
  bench.run(5s, 5);
  EXPECT_GT(bench.recorder->counts().failing, 0U);
  std::filesystem::remove(bench.folder);
  bench.run(5s, 5);
  EXPECT_GT(bench.read().samples, 100U);
  EXPECT_GT(bench.read().dropped, 0U);
}

TEST(Recorder, CountsEveryEventAsKeptOrLeftOutWhateverTheDiskDoes) {
  Bench bench(16 << 20);
  bench.run(5s, 5);
  {
    const FullDisk full(2000);
    bench.run(20s, 5);
  }
  EXPECT_GT(bench.recorder->counts().failing, 500U);
  bench.run(60s, 5);
  bench.run(100s, 2000, false);
  bench.write();
  bench.run(3s, 5);
  bench.recorder->flush();
  bench.write();
  const RecordingCounts counts = bench.recorder->counts();
  EXPECT_GT(counts.behind, 0U);
  EXPECT_EQ(counts.kept + counts.left_out(), bench.told);
  const auto read = bench.read();
  EXPECT_EQ(read.samples + read.ticks, counts.kept);
  EXPECT_EQ(read.dropped, counts.left_out());
  EXPECT_EQ(read.damaged, 0U);
}

TEST(Recorder, SaysAgainWhatNoBlockThatWasWrittenHasTold) {
  Bench bench(16 << 20);
  bench.run(2s, 5);
  {
    const FullDisk full(10);
    bench.run(3s, 5);
    // A new segment that says what was left out, and does not get to the disk either.
    bench.run(10s, 5);
  }
  bench.run(40s, 5);
  EXPECT_EQ(bench.read().dropped, bench.recorder->counts().left_out());
}

TEST(Recorder, AsksForNoCheckpointWhileOneWaitsForTheDisk) {
  Bench bench(64 << 20);
  bench.run(1s, 5);
  bench.run(100s, 2000, false);
  const int saved = bench.saved;
  bench.run(100s, 2000, false);
  EXPECT_EQ(bench.saved, saved);
  bench.write();
  bench.run(3s, 5);
  EXPECT_EQ(bench.saved, saved + 1);
}

TEST(Recorder, TriesADiskThatGoesOnFailingMoreAndMoreSeldom) {
  Bench bench(16 << 20);
  {
    const FullDisk full(10);
    bench.run(10min, 5);
  }
  EXPECT_LT(bench.saved, 30);
  bench.run(40s, 5);
  EXPECT_GT(bench.recorder->counts().kept, 0U);
}

TEST(Recorder, RecordsNothingWhenToldSo) {
  Bench bench(0);
  bench.run(5s, 5);
  bench.recorder->flush();
  bench.write();
  EXPECT_FALSE(std::filesystem::exists(bench.folder));
}

}  // namespace
}  // namespace agent::record
