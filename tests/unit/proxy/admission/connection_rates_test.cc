#include "proxy/admission/connection_rates.h"

#include <gtest/gtest.h>

namespace proxy::admission {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant kStart{1'000'000'000};

TEST(Rate, AllowsABurstAndThenTheRate) {
  Rate rate;
  int allowed = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    for (int i = 0; i < 5; ++i) allowed += rate.take(kStart + ms * 1ms, 100, 200ms) ? 1 : 0;
  }
  EXPECT_NEAR(allowed, 20 + 1000, 2);
}

TEST(Rate, AllowsOneHoweverLowItIs) {
  Rate rate;
  EXPECT_TRUE(rate.take(kStart, 1, 1ms));
  EXPECT_FALSE(rate.take(kStart + 900ms, 1, 1ms));
  EXPECT_TRUE(rate.take(kStart + 1s, 1, 1ms));
}

TEST(Rate, WithoutALimitAllowsAll) {
  Rate rate;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(rate.take(kStart, 0, 1ms));
}

TEST(ConnectionRates, OneClientsStormIsItsOwn) {
  ConnectionRates rates;
  rates.set_limits(10, 0);
  int storm = 0;
  for (int i = 0; i < 100; ++i) storm += rates.take_client({0, 1}, kStart) ? 1 : 0;
  EXPECT_EQ(storm, 10);
  EXPECT_TRUE(rates.take_client({0, 2}, kStart));
  EXPECT_TRUE(rates.take_credential("A1B2C3", kStart)) << "no limit";
}

TEST(ConnectionRates, CredentialsAreApart) {
  ConnectionRates rates;
  rates.set_limits(0, 1);
  EXPECT_TRUE(rates.take_credential("A1B2C3", kStart));
  EXPECT_FALSE(rates.take_credential("A1B2C3", kStart));
  EXPECT_TRUE(rates.take_credential("OTHER1", kStart));
}

TEST(ConnectionRates, ForgetsWhoHasNotConnectedLately) {
  ConnectionRates rates;
  rates.set_limits(10, 0);
  for (uint64_t i = 0; i < 100'000; ++i) {
    EXPECT_TRUE(rates.take_client({0, i}, kStart + int64_t(i) * 1ms));
  }
  EXPECT_LE(rates.remembered(), 2048u);
}

TEST(ConnectionRates, AFullTableLetsOthersPass) {
  ConnectionRates rates;
  rates.set_limits(1, 0);
  for (uint64_t i = 0; i < ConnectionRates::kMost + 10; ++i) {
    EXPECT_TRUE(rates.take_client({0, i}, kStart));
  }
  EXPECT_EQ(rates.remembered(), ConnectionRates::kMost);
  EXPECT_FALSE(rates.take_client({0, 5}, kStart)) << "who is in it is still held to it";
}

}  // namespace
}  // namespace proxy::admission
