#include "proxy/admission/connection_counts.h"

#include <gtest/gtest.h>

namespace proxy::admission {
namespace {

constexpr ClientAddress kOne = {0, 1};
constexpr ClientAddress kTwo = {0, 2};

TEST(ConnectionCounts, WithoutLimitsEverybodyComesIn) {
  ConnectionCounts counts;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(counts.enter(kOne), Admission::kAdmitted);
  EXPECT_EQ(counts.total(), 100u);
}

TEST(ConnectionCounts, OneClientCannotTakeMoreThanItsShare) {
  ConnectionCounts counts;
  counts.set_limits(10, 2);
  EXPECT_EQ(counts.enter(kOne), Admission::kAdmitted);
  EXPECT_EQ(counts.enter(kOne), Admission::kAdmitted);
  EXPECT_EQ(counts.enter(kOne), Admission::kClientLimit);
  EXPECT_EQ(counts.enter(kTwo), Admission::kAdmitted);
  counts.leave(kOne);
  EXPECT_EQ(counts.enter(kOne), Admission::kAdmitted);
  EXPECT_EQ(counts.total(), 3u);
}

TEST(ConnectionCounts, TheProxysLimitComesFirst) {
  ConnectionCounts counts;
  counts.set_limits(1, 1);
  EXPECT_EQ(counts.enter(kOne), Admission::kAdmitted);
  EXPECT_EQ(counts.enter(kOne), Admission::kProxyLimit);
  EXPECT_EQ(counts.enter(kTwo), Admission::kProxyLimit);
  EXPECT_EQ(to_string(Admission::kProxyLimit), "proxy_limit");
}

}  // namespace
}  // namespace proxy::admission
