// Labelled series: numbers as machines give them, with trouble at known places. Seeded: the same
// seed makes the same series.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace test {

enum class Course {
  kSeasonal,   // day and week, with noise
  kNoisy,      // a level with noise that remembers a little
  kHeavy,      // log-normal, now and then far above
  kWandering,  // a random walk that is pulled back
  kCounts,     // small whole numbers, often zero
  kBatch,      // calm, and a regular job every few hours
  kSawtooth,   // fills and is emptied
  kCycle,      // a rhythm that has nothing to do with the day
};
constexpr int kCourses = 8;
std::string to_string(Course course);

enum class Trouble {
  kNone,
  kSpike,
  kDip,
  kShift,    // a new level that stays
  kDropout,  // zero for a while
  kNoise,    // varies several times as much
  kFlat,     // stands still
  kRamp,     // climbs for a while
  kSilent,   // values are missing
};
constexpr int kTroubles = 9;
std::string to_string(Trouble trouble);

struct LabelledSeries {
  struct Row {
    int64_t seconds = 0;
    double value = 0;  // NaN: missing
  };
  // Rows in [begin, end) are about the trouble.
  struct Window {
    size_t begin = 0;
    size_t end = 0;
  };
  Course course = Course::kNoisy;
  Trouble trouble = Trouble::kNone;
  std::vector<Row> rows;
  std::vector<Window> windows;
};

LabelledSeries make_series(Course course, Trouble trouble, uint64_t seed, size_t rows = 4000);

// The score of the Numenta Anomaly Benchmark with its standard profile: a window counts once, the
// earlier the more; a row outside of windows that is called an anomaly costs 0.11. Sums over
// series; 0: as one that finds nothing, 100: as one that finds everything at once and nothing else.
class BenchmarkScore {
 public:
  void add(const LabelledSeries& series, const std::vector<double>& scores, double threshold);
  double value() const { return windows_ == 0 ? 0 : 100 * (sum_ + windows_) / (windows_ * 1.9866); }

 private:
  double sum_ = 0;
  double windows_ = 0;
};

}  // namespace test
