#include "agent/score/tail.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace agent::score {
namespace {

TEST(Tail, SaysHowSeldomAMagnitudeIs) {
  std::mt19937_64 random(1);
  std::exponential_distribution<double> law(1.0);
  Tail tail(1.0);
  for (int i = 0; i < 20000; ++i) tail.learn(law(random));
  // P(X >= x) of this law is e^-x: 3 decades at 6.9.
  EXPECT_NEAR(tail.surprise(3.0), 1.3, 0.3);
  EXPECT_NEAR(tail.surprise(6.9), 3.0, 0.6);
  EXPECT_GT(tail.surprise(15), 4.5);
}

TEST(Tail, IsCalmAboutWhatHeavyTailsDo) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  Tail light(2.0), heavy(2.0);
  for (int i = 0; i < 20000; ++i) {
    light.learn(std::fabs(normal(random)));
    heavy.learn(std::exp(1.2 * normal(random)));
  }
  EXPECT_GT(light.surprise(12), heavy.surprise(12) + 2);
}

TEST(Tail, KnowsTheSameInEveryUnit) {
  std::mt19937_64 random(3);
  std::exponential_distribution<double> law(1.0);
  Tail ones(3.0), thousands(3000.0);
  for (int i = 0; i < 5000; ++i) {
    const double magnitude = law(random);
    ones.learn(magnitude);
    thousands.learn(1000 * magnitude);
  }
  EXPECT_NEAR(ones.surprise(9), thousands.surprise(9000), 1e-6);
}

TEST(Tail, TakesOneOutlierForOneAndManyForACustom) {
  std::mt19937_64 random(4);
  std::normal_distribution<double> normal;
  Tail tail(2.0);
  for (int i = 0; i < 3000; ++i) tail.learn(std::fabs(normal(random)));
  const double before = tail.surprise(40);
  tail.learn(40);
  EXPECT_GT(tail.surprise(40), 0.7 * before);
  for (int i = 0; i < 3000; ++i) tail.learn(i % 60 == 0 ? 40 : std::fabs(normal(random)));
  EXPECT_LT(tail.surprise(40), 3.5);
}

}  // namespace
}  // namespace agent::score
