#include <gtest/gtest.h>

#include "agent/series/cusum.h"
#include "agent/series/learned.h"
#include "agent/series/sample.h"
#include "agent/series/slots.h"
#include "agent/series/usual.h"

namespace {

using namespace std::chrono_literals;
using agent::series::Cusum;
using agent::series::Level;
using agent::series::Share;
using agent::series::SlotBuffer;
using agent::series::Usual;

base::Instant at(double seconds) {
  return base::Instant{static_cast<int64_t>(seconds * 1e9)};
}

TEST(SeriesKey, IsWrittenWithItsLabels) {
  EXPECT_EQ(to_string(agent::series::SeriesKey{"canary_ok", "amber", "p1", "b1", ""}),
            "canary_ok{cluster=amber,proxy=p1,backend=b1}");
  EXPECT_EQ(to_string(agent::series::SeriesKey{"uptime", "", "", "", ""}), "uptime");
}

TEST(Level, LearnsTheUsualValue) {
  Level level;
  for (int i = 1; i < 600; ++i) level.learn(100 + i % 3, at(i), 30min);
  EXPECT_NEAR(level.value(), 101, 1);
}

TEST(Level, ATenMinuteExcursionTeachesLittle) {
  Level level;
  for (int i = 1; i < 7200; ++i) level.learn(100, at(i), 30min);
  for (int i = 7200; i < 7800; ++i) level.learn(5000, at(i), 30min);
  EXPECT_LT(level.value(), 160);
}

TEST(Level, ALastingChangeIsLearnedInTheEnd) {
  Level level;
  for (int i = 1; i < 3600; ++i) level.learn(100, at(i), 30min);
  for (int i = 3600; i < 3600 * 6; ++i) level.learn(300, at(i), 30min);
  EXPECT_NEAR(level.value(), 300, 10);
}

TEST(Level, TimeThatStandsOrGoesBackTeachesNothing) {
  Level level;
  level.learn(100, at(10), 30min);
  level.learn(900, at(10), 30min);
  level.learn(900, at(5), 30min);
  EXPECT_EQ(level.value(), 100);
}

TEST(Share, LearnsAndClips) {
  Share share;
  for (int i = 0; i < 1000; ++i) share.learn(1, 100, 3, 0.01);
  EXPECT_NEAR(share.share(), 0.01, 0.001);
  Share clipped;
  clipped.learn(1000, 1000, 3, 0.01);
  EXPECT_LT(clipped.share(), 0.03);
}

TEST(Share, OnceLightTheNextSecondsOutweighThePast) {
  Share share;
  for (int i = 0; i < 1000; ++i) share.learn(0, 1000, 3, 0.01);
  share.lighten();
  share.learn(400, 4000, 0, 0.01);
  EXPECT_GT(share.share(), 0.08);
}

// So many seconds of one value.
void learn(Usual& usual, double& second, int seconds, double value) {
  for (int i = 0; i < seconds; ++i) usual.learn(value, at(second++), 30min);
}

TEST(Usual, ABatchDoesNotRaiseItAndAnEveningLowersIt) {
  Usual usual;
  double second = 1;
  learn(usual, second, 3600, 400);
  EXPECT_NEAR(usual.value(), 400, 1);
  learn(usual, second, 3600, 4000);
  EXPECT_NEAR(usual.value(), 400, 1);
  learn(usual, second, 2 * 3600, 100);
  EXPECT_LT(usual.value(), 150);
}

TEST(Usual, OfTrafficInBurstsIsNothing) {
  Usual usual;
  double second = 1;
  for (int i = 0; i < 20; ++i) {
    learn(usual, second, 20, 3000);
    learn(usual, second, 40, 0);
  }
  EXPECT_EQ(usual.value(), 0);
}

TEST(Usual, RestoredKnowsAtOnceAndGoesOnLearning) {
  Usual usual(500, 1800);
  EXPECT_EQ(usual.value(), 500);
  double second = 1;
  learn(usual, second, 4 * 3600, 200);
  EXPECT_NEAR(usual.value(), 200, 20);
}

TEST(Cusum, RemembersWhenItLeftZero) {
  Cusum sum;
  sum.add(-1, at(1), 100);
  sum.add(2, at(2), 100);
  sum.add(2, at(3), 100);
  EXPECT_EQ(sum.value(), 4);
  EXPECT_EQ(sum.since(), at(2));
  sum.add(-9, at(4), 100);
  EXPECT_EQ(sum.value(), 0);
  sum.add(500, at(5), 100);
  EXPECT_EQ(sum.value(), 100);
  EXPECT_EQ(sum.since(), at(5));
}

std::vector<size_t> sizes(SlotBuffer& slots, base::Instant until) {
  std::vector<size_t> list;
  slots.take(until, [&](base::Instant, const auto& entries) { list.push_back(entries.size()); });
  return list;
}

TEST(SlotBuffer, PutsTogetherWhatLinksSayInTurn) {
  SlotBuffer slots;
  slots.add(at(10.00), {0, 0, 1});
  slots.add(at(10.01), {0, 0, 1});
  slots.add(at(10.00), {1, 0, 1});
  EXPECT_EQ(sizes(slots, at(10.01)), std::vector<size_t>{2});
  EXPECT_EQ(sizes(slots, at(11)), std::vector<size_t>{1});
  EXPECT_EQ(sizes(slots, at(12)), std::vector<size_t>{});
}

TEST(SlotBuffer, DropsAndCountsWhatComesTooLate) {
  SlotBuffer slots;
  slots.add(at(10), {0, 0, 1});
  sizes(slots, at(11));
  slots.add(at(10.5), {0, 0, 1});
  EXPECT_EQ(slots.late(), 1U);
  EXPECT_TRUE(sizes(slots, at(12)).empty());
}

TEST(SlotBuffer, ALongGapCostsNoMoreThanItsRing) {
  SlotBuffer slots;
  slots.add(at(10), {0, 0, 1});
  slots.add(at(1'000'000), {0, 0, 1});
  EXPECT_EQ(slots.late(), 1U);
  EXPECT_EQ(sizes(slots, at(1'000'001)).size(), 1U);
}

}  // namespace
