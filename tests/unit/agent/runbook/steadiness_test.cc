#include "agent/runbook/steadiness.h"

#include <gtest/gtest.h>

#include "tests/support/manual_time.h"

namespace agent::runbook {
namespace {

using namespace std::chrono_literals;

TEST(ClockWatch, NoticesAJumpOnceAndNoSlewing) {
  test::ManualClock clock;
  ClockWatch watch;
  const auto look = [&] { return watch.look(clock.now(), clock.wall()); };
  EXPECT_FALSE(look().has_value()) << "the first look knows nothing";
  for (int i = 0; i < 1000; ++i) {
    clock.advance(500ms);
    clock.jump(250us);  // 500 ppm
    EXPECT_FALSE(look().has_value());
  }
  clock.jump(1s);  // a leap second
  EXPECT_FALSE(look().has_value());
  clock.advance(1h);  // a long pause is no jump
  EXPECT_FALSE(look().has_value());
  clock.jump(1h);
  EXPECT_EQ(look(), base::Duration(1h));
  EXPECT_FALSE(look().has_value());
  clock.jump(-2h);
  EXPECT_EQ(look(), base::Duration(-2h));
}

TEST(Starts, CountsThoseOfTheWindowAndThisOne) {
  test::ManualClock clock;
  std::string known;
  const auto start = [&] {
    const auto starts = with_start(known, clock.wall(), 5min, 100);
    known = remembered_starts(starts);
    return starts.size();
  };
  EXPECT_EQ(start(), 1u);
  clock.advance(1min);
  EXPECT_EQ(start(), 2u);
  clock.advance(1min);
  EXPECT_EQ(start(), 3u);
  clock.advance(3min);
  EXPECT_EQ(start(), 3u) << "the first is five minutes ago";
  clock.jump(-24h);
  EXPECT_EQ(start(), 1u) << "starts of the future were another clock's";
}

TEST(Starts, RemembersNoMoreThanMatter) {
  test::ManualClock clock;
  std::string known;
  for (int i = 0; i < 1000; ++i) {
    clock.advance(1ms);
    const auto starts = with_start(known, clock.wall(), 24h, 5);
    EXPECT_LE(starts.size(), 5u);
    EXPECT_EQ(starts.back(), clock.wall());
    known = remembered_starts(starts);
  }
  EXPECT_LT(known.size(), 200u);
}

TEST(Starts, AnythingOddCountsForNothing) {
  test::ManualClock clock;
  for (const char* odd : {"", "{}", "[1,null,\"yesterday\"]", "[", "17"}) {
    EXPECT_EQ(with_start(odd, clock.wall(), 5min, 100).size(), 1u) << odd;
  }
}

}  // namespace
}  // namespace agent::runbook
