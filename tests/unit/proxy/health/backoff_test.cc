#include "proxy/health/backoff.h"

#include <gtest/gtest.h>

namespace proxy::health {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, TriesAtOnceThenDoublesToASecond) {
  Backoff backoff;
  for (const base::Duration expected : {0ms, 50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    EXPECT_EQ(backoff.next(), expected);
  }
}

TEST(Backoff, AnAnswerStartsItOver) {
  Backoff backoff;
  for (int i = 0; i < 5; ++i) backoff.next();
  backoff.succeeded();
  EXPECT_EQ(backoff.next(), 0ms);
}

}  // namespace
}  // namespace proxy::health
