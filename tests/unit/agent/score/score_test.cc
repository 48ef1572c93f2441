// What the score promises: bounded, causal, the same in every unit, loud once about trouble and
// quiet about what a series always does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "agent/score/scorer.h"
#include "tests/support/labelled_series.h"

namespace agent::score {
namespace {

using test::Course;
using test::LabelledSeries;
using test::Trouble;

constexpr double kAlarm = 0.9;

std::vector<Score> score_all(const LabelledSeries& series, Reason only = Reason::kNone) {
  Scorer scorer(only);
  std::vector<Score> scores;
  for (const auto& row : series.rows) {
    scores.push_back(scorer.score({row.seconds * 1'000'000'000}, row.value));
  }
  return scores;
}

// The first row from `begin` on that alarms, counted from there; -1: none before `end`.
int first_alarm(const std::vector<Score>& scores, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    if (scores[i].value > kAlarm) return static_cast<int>(i - begin);
  }
  return -1;
}

TEST(Scorer, StaysBetweenNothingAndOneWhateverComes) {
  constexpr double kHuge = std::numeric_limits<double>::max();
  const double values[] = {0, 0, 0, kHuge, -kHuge, 1e-310, 5, 5, std::nan(""), kHuge, 0, 1};
  Scorer scorer;
  int64_t at = 0;
  for (int round = 0; round < 300; ++round) {
    for (const double value : values) {
      at += round % 7 == 0 ? -1'000'000'000 : 60'000'000'000;
      const double score = scorer.score({at}, value).value;
      ASSERT_GE(score, 0);
      ASSERT_LE(score, 1);
    }
  }
}

TEST(Scorer, DependsOnNothingThatComesLater) {
  LabelledSeries series = test::make_series(Course::kSeasonal, Trouble::kShift, 3);
  const auto whole = score_all(series);
  series.rows.resize(2000);
  const auto part = score_all(series);
  for (size_t i = 0; i < part.size(); ++i) ASSERT_EQ(part[i].value, whole[i].value) << i;
}

TEST(Scorer, KnowsNoUnits) {
  LabelledSeries series = test::make_series(Course::kNoisy, Trouble::kSpike, 4);
  const auto ones = score_all(series);
  for (auto& row : series.rows) row.value *= 1024;
  const auto kibis = score_all(series);
  for (size_t i = 0; i < ones.size(); ++i) ASSERT_NEAR(ones[i].value, kibis[i].value, 1e-3) << i;
}

TEST(Scorer, SaysNothingAboutASeriesThatNeverMoves) {
  Scorer scorer;
  for (int64_t i = 0; i < 5000; ++i) {
    ASSERT_LT(scorer.score({i * 60'000'000'000}, 42).value, 0.5) << i;
  }
}

TEST(Scorer, AcceptsANewLevelAfterItsAlarm) {
  Scorer scorer;
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> noise(0, 1);
  for (int64_t i = 0; i < 2000; ++i) scorer.score({i * 60'000'000'000}, 10 + noise(random));
  EXPECT_GT(scorer.score({2000 * 60'000'000'000}, 20 + noise(random)).value, kAlarm);
  int looks = 0;
  for (int64_t i = 2001; i < 3000; ++i) {
    const double score = scorer.score({i * 60'000'000'000}, 20 + noise(random)).value;
    if (i > 2150) {
      ASSERT_LT(score, kAlarm) << i;
    }
    if (i > 2300 && score > 0.5) ++looks;
  }
  EXPECT_LT(looks, 30);
}

TEST(Scorer, SeesAnHourThatIsOnlyWrongForItsTimeOfDay) {
  // Full by day, empty by night; on the tenth night it is as full as by day.
  Scorer scorer;
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> noise(0, 1);
  double highest = 0, before = 0;
  for (int64_t i = 0; i < 10 * 288; ++i) {
    const int64_t of_day = i % 288;
    const bool night = of_day < 96;
    const bool wrong = i >= 9 * 288 + 30 && of_day < 60;
    const double score =
        scorer.score({i * 300'000'000'000}, (night && !wrong ? 10 : 30) + noise(random)).value;
    if (i >= 9 * 288 + 30 && i < 9 * 288 + 40) highest = std::max(highest, score);
    if (i >= 5 * 288 && i < 9 * 288) before = std::max(before, score);
  }
  EXPECT_GT(highest, kAlarm);
  EXPECT_LT(before, kAlarm);
}

TEST(Scorer, AsksOneQuestionAloneWhenToldTo) {
  const LabelledSeries series = test::make_series(Course::kNoisy, Trouble::kSilent, 5);
  const auto& window = series.windows[0];
  EXPECT_GE(first_alarm(score_all(series, Reason::kAbsent), window.begin, window.end), 0);
  EXPECT_EQ(first_alarm(score_all(series, Reason::kFlat), window.begin, window.end), -1);
}

struct Expected {
  Trouble trouble;
  double found;  // at least this part of the windows has an alarm
  int delay;     // and the median alarm is at most so many rows late
};

TEST(Scorer, FindsEachKindOfTroubleInMostSeries) {
  const Expected all[] = {{Trouble::kSpike, 0.8, 2},   {Trouble::kDip, 0.9, 2},
                          {Trouble::kShift, 0.6, 12},  {Trouble::kDropout, 0.95, 12},
                          {Trouble::kNoise, 0.65, 15}, {Trouble::kFlat, 0.95, 15},
                          {Trouble::kRamp, 0.6, 70},   {Trouble::kSilent, 0.95, 8}};
  for (const Expected& expected : all) {
    int windows = 0;
    std::vector<int> delays;
    for (int course = 0; course < test::kCourses; ++course) {
      // A count that is mostly zero drops to zero or stands still unseen.
      if (Course(course) == Course::kCounts) continue;
      for (uint64_t seed = 11; seed < 14; ++seed) {
        const auto series = test::make_series(Course(course), expected.trouble, seed);
        const auto scores = score_all(series);
        for (const auto& [begin, end] : series.windows) {
          ++windows;
          const int delay = first_alarm(scores, begin, end);
          if (delay >= 0) delays.push_back(delay);
        }
      }
    }
    ASSERT_FALSE(delays.empty()) << to_string(expected.trouble);
    std::sort(delays.begin(), delays.end());
    EXPECT_GE(static_cast<double>(delays.size()), expected.found * windows)
        << to_string(expected.trouble);
    EXPECT_LE(delays[delays.size() / 2], expected.delay) << to_string(expected.trouble);
  }
}

TEST(Scorer, SeldomAlarmsAboutWhatASeriesAlwaysDoes) {
  size_t rows = 0, alarms = 0;
  for (int course = 0; course < test::kCourses; ++course) {
    for (uint64_t seed = 21; seed < 25; ++seed) {
      const auto scores = score_all(test::make_series(Course(course), Trouble::kNone, seed));
      for (size_t i = 600; i < scores.size(); ++i) {
        ++rows;
        if (scores[i].value > kAlarm) ++alarms;
      }
    }
  }
  // One in two thousand rows, over kinds that include the most irregular.
  EXPECT_LE(static_cast<double>(alarms), static_cast<double>(rows) / 2000) << alarms;
}

}  // namespace
}  // namespace agent::score
