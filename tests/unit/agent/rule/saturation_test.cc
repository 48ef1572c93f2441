#include "agent/rule/saturation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>

#include "agent/rule/detector.h"
#include "agent/rule/phrase.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::Type;
using agent::incident::Verdict;
using agent::rule::Detector;
using agent::rule::RuleSet;
using agent::rule::Trend;

class Filling : public testing::Test {
 protected:
  Filling() : detector_(std::make_unique<Detector>(RuleSet())) {}

  // One reading a second; `value` of the seconds since the beginning of the call.
  void run(int seconds, const std::function<double(int)>& value, double limit = 100'000) {
    for (int i = 0; i < seconds; ++i, now_ = now_ + 1s) {
      detector_->observe({{"proxy_descriptors", "amber", "p1", "", ""}, now_, value(i), limit});
      for (Verdict& verdict : detector_->evaluate(now_)) said_.push_back(std::move(verdict));
    }
  }

  std::unique_ptr<Detector> detector_;
  base::Instant now_{1'000'000'000'000};
  std::vector<Verdict> said_;
};

TEST_F(Filling, SaysHowMuchHowFastAndWhen) {
  run(120, [](int) { return 30'000; });
  run(95, [](int i) { return 30'000 + 340.0 * i; });
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].type, Type::kResourcesLow);
  EXPECT_EQ(said_[0].scope.to_string(), "proxy p1");
  EXPECT_EQ(said_[0].title, "Descriptors of proxy p1 run out");
  EXPECT_EQ(said_[0].sentence,
            "60260 of 100000 descriptors of proxy p1 are in use (60.3 %), full in 117 s at "
            "+340/s.");
  ASSERT_EQ(said_[0].evidence.size(), 1U);
  EXPECT_EQ(said_[0].evidence[0].baseline, 100'000);
}

TEST_F(Filling, ASlowLeakIsForecastFromMinutes) {
  run(900, [](int) { return 65'000; });
  run(300, [](int i) { return 65'000 + 12.0 * i; });
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(
      said_[0].sentence,
      "67052 of 100000 descriptors of proxy p1 are in use (67.1 %), full in 55 min at +10/s.");
}

TEST_F(Filling, NearlyFullIsToldAtOnce) {
  run(1, [](int) { return 96'000; });
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_EQ(said_[0].confidence, 0.95);
  EXPECT_EQ(said_[0].sentence, "96000 of 100000 descriptors of proxy p1 are in use (96.0 %).");
}

TEST_F(Filling, NoiseHasNoTrend) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(80'000, 3'000);
  run(6 * 3600, [&](int) { return std::min(94'000.0, noise(random)); });
  EXPECT_TRUE(said_.empty());
}

TEST_F(Filling, OneStepIsNoTrend) {
  run(900, [](int) { return 60'000; });
  run(900, [](int) { return 80'000; });
  EXPECT_TRUE(said_.empty());
}

TEST_F(Filling, ADayWithItsWaveIsNoNews) {
  run(2 * 24 * 3600, [](int i) { return 60'000 + 30'000 * std::sin(i / 86400.0 * 2 * M_PI); });
  EXPECT_TRUE(said_.empty());
}

TEST_F(Filling, AHeightReachedBeforeARestartIsNoNews) {
  // Up within ten minutes, for half an hour, and down again.
  const auto batch = [](int i) {
    const double up = std::clamp((i - 3600) / 600.0, 0.0, 1.0);
    const double down = std::clamp((i - 6000) / 600.0, 0.0, 1.0);
    return 65'000 + 23'000 * (up - down);
  };
  run(8 * 3600, batch);
  EXPECT_FALSE(said_.empty()) << "it was news once";
  const std::string memory = detector_->save();
  for (const bool remembers : {true, false}) {
    said_.clear();
    detector_ = std::make_unique<Detector>(RuleSet());
    if (remembers) {
      ASSERT_TRUE(detector_->restore(memory, now_).ok());
    }
    run(8 * 3600, batch);
    EXPECT_EQ(said_.empty(), remembers);
  }
}

TEST_F(Filling, ANewProcessBeginsAnew) {
  run(120, [](int) { return 70'000; });
  detector_->observe({{"proxy_exited", "amber", "p1", "", ""}, now_, 1, 1});
  detector_->observe({{"proxy_exited", "amber", "p1", "", ""}, now_, 0, 1});
  run(600, [](int i) { return std::min(70'000.0, 500.0 * i); });
  for (const Verdict& verdict : said_) EXPECT_NE(verdict.type, Type::kResourcesLow);
}

TEST_F(Filling, AnotherLimitBeginsAnew) {
  run(
      120, [](int i) { return 50'000 + 200.0 * i; }, 1e6);
  run(
      60, [](int) { return 74'000; }, 100'000);
  EXPECT_TRUE(said_.empty());
}

TEST(Trend, SingleJumpsDoNotMoveTheSlope) {
  Trend trend(1s);
  for (int i = 0; i < 30; ++i) {
    trend.add(base::Instant{i * 1'000'000'000LL}, 5.0 * i + (i == 12 ? 1e6 : 0));
  }
  EXPECT_NEAR(trend.slope(), 5, 0.5);
}

TEST(Phrase, LengthsAndBytesReadAsPeopleSayThem) {
  using agent::rule::bytes_text;
  using agent::rule::length_text;
  EXPECT_EQ(length_text(45), "45 s");
  EXPECT_EQ(length_text(720), "12 min");
  EXPECT_EQ(length_text(3.5 * 3600), "3.5 h");
  EXPECT_EQ(length_text(13 * 86400), "13.0 days");
  EXPECT_EQ(bytes_text(512 << 20), "512.0 MiB");
  EXPECT_EQ(bytes_text(40e9), "37.3 GiB");
}

TEST(Expiry, SaysHowLongAndIsOverWithANewCertificate) {
  Detector detector{RuleSet()};
  const auto left = [&](int64_t second, double days) {
    const base::Instant at{second * 1'000'000'000};
    detector.observe({{"certificate_seconds", "amber", "", "", ""}, at, days * 86400, 1});
    return detector.evaluate(at);
  };
  EXPECT_TRUE(left(10, 15).empty());
  auto verdicts = left(70, 13.5);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].type, Type::kCertificateExpiring);
  EXPECT_EQ(verdicts[0].sentence, "The TLS certificate of cluster amber ends in 13.5 days.");
  verdicts = left(130, 90);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].active);
  verdicts = left(190, -2.5);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].sentence, "The TLS certificate of cluster amber ended 2.5 days ago.");
}

}  // namespace
