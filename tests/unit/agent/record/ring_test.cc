#include "agent/record/ring.h"

#include <gtest/gtest.h>

#include "base/core/file.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/record/full_disk.h"

namespace agent::record {
namespace {

std::string text_of(const SegmentFile& file) {
  return base::read_file(file.path).value();
}

TEST(Ring, TakesATornBlockBackAndGoesOnInANewSegment) {
  test::TempDir dir;
  Ring ring(dir.path(), 1 << 20);
  ASSERT_TRUE(ring.append("whole;", true));
  {
    const FullDisk full(10);
    EXPECT_FALSE(ring.append("torn in its middle;", false));
  }
  EXPECT_FALSE(ring.append("refers to what is missing;", false));
  EXPECT_TRUE(ring.append("begins;", true));
  const auto files = list_segments(dir.path()).value();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(text_of(files[0]), "whole;");
  EXPECT_EQ(text_of(files[1]), "begins;");
}

TEST(Ring, LeavesNoFileOfASegmentThatCouldNotBegin) {
  test::TempDir dir;
  Ring ring(dir.path(), 1 << 20);
  ASSERT_TRUE(ring.append("whole;", true));
  {
    const FullDisk full(3);
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(ring.append("does not fit;", true));
  }
  EXPECT_EQ(list_segments(dir.path()).value().size(), 1U);
}

TEST(Ring, LosesNothingOldToWhatCouldNotBeWritten) {
  test::TempDir dir;
  const std::string kilobyte(1024, 'x');
  Ring ring(dir.path(), 8 * 1024);
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(ring.append(kilobyte, true));
  {
    const FullDisk full(100);
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(ring.append(kilobyte, true));
  }
  EXPECT_EQ(list_segments(dir.path()).value().size(), 7U);
  EXPECT_TRUE(ring.append(kilobyte, true));
  EXPECT_EQ(list_segments(dir.path()).value().size(), 8U);
}

}  // namespace
}  // namespace agent::record
