#include "proxy/health/backoff.h"

#include <gtest/gtest.h>

namespace proxy::health {
namespace {

using namespace std::chrono_literals;

class BackoffTest : public testing::Test {
 protected:
  // Attempts in a minute at a backend that, once reached, answers and dies after `life`.
  int attempts_in_a_minute(base::Duration life) {
    int attempts = 0;
    for (const base::Instant end = now_ + 60s; now_ < end; ++attempts) {
      backoff_.answered(now_);
      now_ = now_ + life;
      now_ = now_ + backoff_.lost(now_);
    }
    return attempts;
  }

  base::Instant now_{1'000'000'000};
  Backoff backoff_;
};

TEST_F(BackoffTest, TriesAtOnceThenDoublesToASecond) {
  for (const base::Duration expected : {0ms, 50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    EXPECT_EQ(backoff_.lost(now_), expected);
  }
}

TEST_F(BackoffTest, ABackendThatLastsStartsItOver) {
  for (int i = 0; i < 5; ++i) backoff_.lost(now_);  // the next wait would be 800 ms
  backoff_.answered(now_);
  EXPECT_EQ(backoff_.lost(now_ + 8s), 0ms);
}

TEST_F(BackoffTest, AFlapGrowsIt) {
  for (int i = 0; i < 5; ++i) backoff_.lost(now_);
  backoff_.answered(now_);
  EXPECT_EQ(backoff_.lost(now_ + 7s), 800ms) << "an answer and a few seconds prove nothing";
  backoff_.answered(now_);
  EXPECT_EQ(backoff_.lost(now_ + 1s), 1000ms);
}

TEST_F(BackoffTest, TheProofIsOfOneConnection) {
  for (int i = 0; i < 5; ++i) backoff_.lost(now_);
  backoff_.answered(now_);
  backoff_.lost(now_);
  EXPECT_EQ(backoff_.lost(now_ + 1h), 1000ms) << "it has not answered since";
}

TEST_F(BackoffTest, BoundsTheAttemptsAtAnyFlap) {
  EXPECT_LE(attempts_in_a_minute(0ms), 66);
  EXPECT_LE(attempts_in_a_minute(20ms), 66);
  EXPECT_LE(attempts_in_a_minute(999ms), 66);
  EXPECT_LE(attempts_in_a_minute(1s), 66);
}

}  // namespace
}  // namespace proxy::health
