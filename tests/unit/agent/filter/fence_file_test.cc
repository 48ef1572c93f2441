#include "agent/filter/fence_file.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "base/core/file.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::filter {
namespace {

using namespace std::chrono_literals;

// The disk is a loop of its own, which turns when the test says so.
struct Fences {
  test::TempDir dir;
  boost::asio::io_context io, disk;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  bool is_disk_stuck = false;
  std::unique_ptr<FenceFile> file;

  base::Result<> open() {
    auto opened =
        FenceFile::open(io.get_executor(), disk.get_executor(), timers, dir.file("fences"));
    if (!opened.ok()) return opened.error();
    file = std::move(*opened);
    return base::Done{};
  }
  base::Result<> admit(std::string lock, uint64_t fence) {
    std::optional<base::Result<>> result;
    boost::asio::co_spawn(io, file->admit(std::move(lock), fence, clock.now() + 1s),
                          [&](std::exception_ptr failed, base::Result<> value) {
                            CHECK(!failed);
                            result = std::move(value);
                          });
    timers.run_ready();
    if (!is_disk_stuck) turn_disk();
    timers.run_for(1s);
    CHECK(result.has_value());
    return std::move(*result);
  }
  void turn_disk() {
    disk.restart();
    disk.run();
    timers.run_ready();
  }
};

TEST(FenceFile, KeepsTheHighestOfEachLockOverARestart) {
  Fences fences;
  ASSERT_TRUE(fences.open().ok());
  EXPECT_TRUE(fences.admit("cluster/amber", 7).ok());
  EXPECT_TRUE(fences.admit("cluster/birch", 3).ok());
  EXPECT_EQ(fences.admit("cluster/amber", 6).code(), base::ErrorCode::kRefused);
  ASSERT_TRUE(fences.open().ok());
  EXPECT_EQ(fences.file->highest("cluster/amber"), 7u);
  EXPECT_EQ(fences.admit("cluster/amber", 6).code(), base::ErrorCode::kRefused);
  EXPECT_TRUE(fences.admit("cluster/amber", 7).ok());
  EXPECT_TRUE(fences.admit("cluster/birch", 4).ok());
  EXPECT_TRUE(fences.admit("cluster/amber", 0).ok()) << "an act under no lock";
}

TEST(FenceFile, ChecksWithoutTheDisk) {
  Fences fences;
  ASSERT_TRUE(fences.open().ok());
  ASSERT_TRUE(fences.admit("cluster/amber", 7).ok());
  EXPECT_EQ(fences.file->check("cluster/amber", 6).code(), base::ErrorCode::kRefused);
  EXPECT_TRUE(fences.file->check("cluster/amber", 7).ok());
  EXPECT_TRUE(fences.file->check("cluster/amber", 0).ok());
  EXPECT_TRUE(fences.file->check("cluster/birch", 1).ok());
}

TEST(FenceFile, LetsNothingHappenThatItCouldNotKeep) {
  Fences fences;
  ASSERT_TRUE(fences.open().ok());
  fences.is_disk_stuck = true;
  EXPECT_EQ(fences.admit("cluster/amber", 7).code(), base::ErrorCode::kUnavailable);
  EXPECT_EQ(fences.admit("cluster/amber", 6).code(), base::ErrorCode::kRefused) << "7 was seen";
  fences.turn_disk();
  fences.is_disk_stuck = false;
  EXPECT_TRUE(fences.admit("cluster/amber", 7).ok());
}

TEST(FenceFile, WaitsForTheDiskOnceForEachFence) {
  Fences fences;
  ASSERT_TRUE(fences.open().ok());
  EXPECT_TRUE(fences.admit("cluster/amber", 7).ok());
  fences.is_disk_stuck = true;
  EXPECT_TRUE(fences.admit("cluster/amber", 7).ok());
}

TEST(FenceFile, IsRefusedWhenItIsOdd) {
  for (const char* text :
       {"", "mcguard fences 2\nend\n", "mcguard fences 1\n", "mcguard fences 1\ncluster/amber 7\n",
        "mcguard fences 1\ncluster/amber\nend\n", "mcguard fences 1\ncluster/amber x\nend\n",
        "mcguard fences 1\n 7\nend\n", "mcguard fences 1\nend\nend\n", "mcguard fences 1\nend"}) {
    Fences fences;
    ASSERT_TRUE(
        base::write_file_atomic(fences.dir.file("fences"), text, base::Durability::kRenameOnly)
            .ok());
    const base::Result<> opened = fences.open();
    ASSERT_FALSE(opened.ok()) << text;
    EXPECT_EQ(opened.code(), base::ErrorCode::kInvalid);
    EXPECT_NE(opened.error().context.find("remove the file"), std::string::npos);
  }
}

}  // namespace
}  // namespace agent::filter
