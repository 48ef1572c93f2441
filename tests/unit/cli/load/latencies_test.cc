#include "cli/load/latencies.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

using namespace std::chrono_literals;

TEST(Latencies, HaveNothingToSayWithoutAny) {
  const Latencies none;
  EXPECT_EQ(none.at(0.99), base::Duration(0));
  EXPECT_EQ(none.mean(), base::Duration(0));
}

TEST(Latencies, QuantilesAreWithinPointEightPercent) {
  Latencies latencies;
  for (int i = 1; i <= 1000; ++i) latencies.record(std::chrono::microseconds(i * 10));
  for (const double quantile : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = 1e4 * quantile;
    EXPECT_NEAR(base::to_seconds(latencies.at(quantile)) * 1e6, exact, exact * 0.008 + 10);
  }
  EXPECT_EQ(latencies.at(1), 10ms);
  EXPECT_EQ(latencies.longest(), 10ms);
  EXPECT_EQ(latencies.mean(), std::chrono::nanoseconds(5'005'000));
}

TEST(Latencies, AreMergedExactly) {
  Latencies one, two, both;
  for (int i = 0; i < 500; ++i) {
    const auto took = std::chrono::microseconds(7 * i);
    (i % 2 == 0 ? one : two).record(took);
    both.record(took);
  }
  one.merge(two);
  EXPECT_EQ(one.count(), both.count());
  for (const double quantile : {0.1, 0.5, 0.99}) EXPECT_EQ(one.at(quantile), both.at(quantile));
}

TEST(Latencies, BeyondTheLastBucketAreTheLongestSeen) {
  Latencies latencies;
  latencies.record(100s);
  EXPECT_EQ(latencies.at(0.5), 100s);
}

}  // namespace
}  // namespace cli
