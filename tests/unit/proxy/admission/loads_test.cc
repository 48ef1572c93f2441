#include "proxy/admission/loads.h"

#include <gtest/gtest.h>

namespace proxy::admission {
namespace {

constexpr uint64_t kMiB = 1048576;

TEST(Loads, WithoutLimitsTheyAreOff) {
  Loads loads;
  EXPECT_FALSE(loads.is_on());
  loads.set_limits({}, {}, 2);
  EXPECT_FALSE(loads.is_on());
  loads.set_limits({}, {1, 0}, 2);
  EXPECT_TRUE(loads.is_on());
}

TEST(Loads, ACredentialHasItsShareAndOthersTheirs) {
  Loads loads;
  loads.set_limits({}, {20, 0}, 2);
  Loads::Part one, two, other;
  loads.settle(one, "a", {7, 0});
  loads.settle(two, "a", {1, 0});
  loads.settle(other, "b", {});
  EXPECT_EQ(loads.room(one).requests, 2u);
  EXPECT_EQ(loads.room(two).requests, 2u);
  EXPECT_EQ(loads.room(other).requests, 10u);
  loads.settle(one, "a", {2, 0});
  EXPECT_EQ(loads.room(two).requests, 7u);
  EXPECT_EQ(one.requests(), 2u);
}

TEST(Loads, TheProxysLimitIsForAllTogether) {
  Loads loads;
  loads.set_limits({10, 0}, {8, 0}, 1);
  Loads::Part one, other;
  loads.settle(one, "a", {8, 0});
  loads.settle(other, "b", {1, 0});
  EXPECT_EQ(loads.room(one).requests, 0u);
  EXPECT_EQ(loads.room(other).requests, 1u);
}

TEST(Loads, WithoutBytesThereIsNoRoomForRequests) {
  Loads loads;
  loads.set_limits({}, {0, 4 * kMiB}, 1);
  Loads::Part one, two, other;
  loads.settle(one, "a", {1, 4 * kMiB - 1});
  loads.settle(two, "a", {});
  loads.settle(other, "b", {});
  EXPECT_FALSE(loads.room(two).is_short_of_bytes);
  loads.settle(two, "a", {1, 1});
  EXPECT_TRUE(loads.room(two).is_short_of_bytes);
  EXPECT_EQ(loads.room(two).requests, 0u);
  EXPECT_FALSE(loads.room(other).is_short_of_bytes);
}

TEST(Loads, AShareIsNeverTooSmallForOneRequest) {
  Loads loads;
  loads.set_limits({3, 2 * kMiB}, {}, 64);
  Loads::Part one;
  loads.settle(one, "a", {0, 2 * kMiB - 1});
  EXPECT_EQ(loads.room(one).requests, 1u);
}

TEST(Loads, WhoLeavesTakesItsPartAlong) {
  Loads loads;
  loads.set_limits({10, 0}, {10, 0}, 1);
  Loads::Part one, two;
  loads.leave(one);  // never counted
  loads.settle(one, "a", {4, 5});
  loads.settle(two, "a", {3, 2});
  EXPECT_EQ(loads.credentials(), 1u);
  loads.leave(one);
  EXPECT_EQ(loads.all().requests, 3u);
  EXPECT_EQ(loads.all().bytes, 2u);
  EXPECT_EQ(loads.room(two).requests, 7u);
  loads.leave(two);
  loads.leave(two);
  EXPECT_EQ(loads.credentials(), 0u);
  EXPECT_EQ(loads.all().requests, 0u);
}

// Turned off and on again, what was counted before neither stays nor is counted twice.
TEST(Loads, StaysRightWhileLimitsComeAndGo) {
  Loads loads;
  loads.set_limits({10, 0}, {}, 1);
  Loads::Part one, two;
  loads.settle(one, "a", {4, 0});
  loads.settle(two, "a", {4, 0});
  loads.set_limits({}, {}, 1);
  loads.leave(two);
  loads.set_limits({10, 0}, {}, 1);
  loads.settle(one, "a", {1, 0});
  EXPECT_EQ(loads.all().requests, 1u);
}

}  // namespace
}  // namespace proxy::admission
