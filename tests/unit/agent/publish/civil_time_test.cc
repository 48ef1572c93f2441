#include "agent/publish/civil_time.h"

#include <gtest/gtest.h>

namespace agent::publish {
namespace {

using namespace std::chrono_literals;

TEST(CivilTime, IsInUtcAndNamesItsMonth) {
  const base::WallTime at{1'795'418'897'042'000'000};
  EXPECT_EQ(date_and_seconds(at), "23 Nov 2026, 07:28:17 UTC");
  EXPECT_EQ(date_and_clock(at), "23 Nov 2026, 07:28 UTC");
}

TEST(CivilTime, WorksBeforeTheEpoch) {
  EXPECT_EQ(date_and_seconds(base::WallTime{-1}), "31 Dec 1969, 23:59:59 UTC");
}

TEST(DurationWords, NamesTheTwoLargestUnits) {
  EXPECT_EQ(duration_words(-5s), "0 s");
  EXPECT_EQ(duration_words(2900ms), "2 s");
  EXPECT_EQ(duration_words(60s), "1 min");
  EXPECT_EQ(duration_words(250s), "4 min 10 s");
  EXPECT_EQ(duration_words(2h + 5min + 9s), "2 h 5 min");
  EXPECT_EQ(duration_words(76h), "3 d 4 h");
}

}  // namespace
}  // namespace agent::publish
