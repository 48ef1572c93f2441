#include "agent/rule/silence.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::Verdict;
using agent::rule::Detector;
using agent::rule::RuleSet;

// Two proxies, heard ten times a second unless a test says otherwise.
class Hearing : public testing::Test {
 protected:
  Hearing() : detector_(std::make_unique<Detector>(RuleSet())) {}

  void run(base::Duration length, const std::function<bool(const char*)>& speaks) {
    const base::Instant end = now_ + length;
    for (; now_ < end; now_ = now_ + 100ms) {
      for (const char* proxy : {"p1", "p2"}) {
        detector_->observe({{"proxy_exited", "amber", proxy, "", ""}, now_, 0, 1});
        if (!speaks(proxy)) continue;
        detector_->observe(
            {{"proxy_heartbeat_age_seconds", "amber", proxy, "", ""}, now_, 0.01, 1});
      }
      for (Verdict& verdict : detector_->evaluate(now_)) said_.push_back(std::move(verdict));
    }
  }
  static bool all(const char*) { return true; }
  static bool none(const char*) { return false; }
  static bool second(const char* proxy) { return std::string(proxy) == "p2"; }

  std::unique_ptr<Detector> detector_;
  base::Instant now_{1'000'000'000'000};
  std::vector<Verdict> said_;
};

TEST_F(Hearing, SaysWhatIsMissedForHowLongAndHowOftenItCame) {
  run(1min, all);
  const base::Instant stopped = now_;
  run(13s, second);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].scope.proxy, "p1");
  EXPECT_EQ(said_[0].sentence,
            "No telemetry of proxy p1 for 12.1 s though its process runs; usually at least one "
            "every 0.1 s.");
  EXPECT_EQ(said_[0].since, stopped - 100ms);
  EXPECT_TRUE(said_.back().active);
  run(6s, all);
  EXPECT_FALSE(said_.back().active);
}

TEST_F(Hearing, SilenceOfAllIsTheClustersAlone) {
  run(1min, all);
  run(20s, none);
  ASSERT_FALSE(said_.empty());
  for (const Verdict& verdict : said_) EXPECT_EQ(verdict.scope.to_string(), "cluster amber");
}

TEST_F(Hearing, ATrackedRhythmGrowsWithWhatIsHeardAndNotWithWhatWasMissed) {
  run(1min, all);
  run(30s, second);
  run(1min, all);
  said_.clear();
  run(13s, second);
  EXPECT_FALSE(said_.empty());
}

TEST_F(Hearing, WhatTheAgentMissedBecauseItStoodStillIsNoSilence) {
  run(1min, all);
  now_ = now_ + 60s;
  run(8s, second);
  run(1min, all);
  EXPECT_TRUE(said_.empty());
}

TEST_F(Hearing, WhoFellSilentWhileTheAgentWasRestartedIsMissed) {
  run(1min, all);
  const std::string memory = detector_->save();
  detector_ = std::make_unique<Detector>(RuleSet());
  ASSERT_TRUE(detector_->restore(memory, now_).ok());
  run(45s, second);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].scope.proxy, "p1");
}

// Told each 20 s by now: missed some times, and then that is its rhythm.
TEST_F(Hearing, ARestoredRhythmThatHasBecomeSlowerIsLearnedAnew) {
  run(1min, all);
  const std::string memory = detector_->save();
  detector_ = std::make_unique<Detector>(RuleSet());
  ASSERT_TRUE(detector_->restore(memory, now_).ok());
  const base::Instant begin = now_;
  const auto seldom = [&](const char* proxy) {
    return second(proxy) || (now_ - begin).count() % base::Duration(20s).count() == 0;
  };
  run(2min, seldom);
  EXPECT_FALSE(said_.empty());
  run(20s, seldom);
  said_.clear();
  run(5min, seldom);
  EXPECT_TRUE(said_.empty());
  run(3min, second);
  EXPECT_FALSE(said_.empty()) << "it is missed by its new rhythm";
}

TEST_F(Hearing, AMemberInTroubleIsNotMissedToo) {
  run(1min, all);
  for (int i = 0; i < 20; ++i) {
    detector_->observe({{"proxy_heartbeat_age_seconds", "amber", "p1", "", ""}, now_, 6, 1});
    detector_->evaluate(now_);
    now_ = now_ + 100ms;
  }
  run(25s, second);
  for (const Verdict& verdict : said_) EXPECT_EQ(verdict.rule, "proxy_stuck");
}

TEST_F(Hearing, AMemberThatLeftIsNotMissed) {
  run(1min, all);
  run(15s, second);
  ASSERT_TRUE(!said_.empty() && said_.back().active);
  detector_->forget({"amber", "p1", "", ""});
  said_.clear();
  const auto verdicts = detector_->evaluate(now_);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].active);
}

}  // namespace
