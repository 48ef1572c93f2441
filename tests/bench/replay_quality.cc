// What the anomaly score finds, how soon, and how often it is wrong, over labelled series of many
// kinds; beside three simple peers, each of which may choose the threshold that suits it best here,
// after the fact. Prints tables and one line per figure; exits 1 when one is short.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <vector>

#include "agent/score/scorer.h"
#include "tests/support/labelled_series.h"

namespace {

using test::Course;
using test::LabelledSeries;
using test::Trouble;

constexpr double kAlarm = 0.9;
constexpr size_t kPeerWindow = 288;  // a day of five-minute rows

using Method = std::function<std::vector<double>(const LabelledSeries&)>;

std::vector<double> ours(const LabelledSeries& series) {
  agent::score::Scorer scorer;
  std::vector<double> scores;
  for (const auto& row : series.rows) {
    const base::WallTime at{row.seconds * 1'000'000'000};
    scores.push_back(scorer.score(at, row.value).value);
  }
  return scores;
}

// Distance from the mean of the last day, in standard deviations.
std::vector<double> moving_sigma(const LabelledSeries& series) {
  std::deque<double> window;
  double sum = 0, squares = 0;
  std::vector<double> scores;
  for (const auto& row : series.rows) {
    if (std::isnan(row.value)) {
      scores.push_back(0);
      continue;
    }
    const double count = std::max<double>(1, static_cast<double>(window.size()));
    const double mean = sum / count;
    const double sigma = std::sqrt(std::max(squares / count - mean * mean, 1e-12 * mean * mean));
    scores.push_back(window.size() < 30 ? 0 : std::fabs(row.value - mean) / (sigma + 1e-12));
    window.push_back(row.value);
    sum += row.value;
    squares += row.value * row.value;
    if (window.size() <= kPeerWindow) continue;
    sum -= window.front();
    squares -= window.front() * window.front();
    window.pop_front();
  }
  return scores;
}

// An exponentially weighted mean of the last few rows against a slow one.
std::vector<double> ewma_chart(const LabelledSeries& series) {
  double fast = series.rows[0].value, slow = fast, variance = 0;
  std::vector<double> scores;
  for (const auto& row : series.rows) {
    if (std::isnan(row.value)) {
      scores.push_back(0);
      continue;
    }
    fast += 0.3 * (row.value - fast);
    const double sigma = std::sqrt(variance);
    scores.push_back(scores.size() < 30 ? 0 : std::fabs(fast - slow) / (sigma + 1e-12));
    slow += 0.01 * (row.value - slow);
    variance += 0.01 * ((row.value - slow) * (row.value - slow) - variance);
  }
  return scores;
}

// Distance from the median of the last day, in median absolute deviations.
std::vector<double> median_mad(const LabelledSeries& series) {
  std::deque<double> window;
  std::vector<double> scores, sorted;
  const auto middle = [](std::vector<double>& list) {
    const auto at = list.begin() + static_cast<std::ptrdiff_t>(list.size() / 2);
    std::nth_element(list.begin(), at, list.end());
    return *at;
  };
  for (const auto& row : series.rows) {
    if (std::isnan(row.value)) {
      scores.push_back(0);
      continue;
    }
    double score = 0;
    if (window.size() >= 30) {
      sorted.assign(window.begin(), window.end());
      const double median = middle(sorted);
      double sum = 0;
      for (double& value : sorted) sum += value = std::fabs(value - median);
      // As usual, the mean deviation stands in where more than half of the values are the same.
      const double mad = 1.4826 * middle(sorted);
      const double mean = 1.2533 * sum / static_cast<double>(sorted.size());
      score = std::fabs(row.value - median) / ((mad > 0 ? mad : mean) + 1e-6 * std::fabs(median));
    }
    scores.push_back(score);
    window.push_back(row.value);
    if (window.size() > kPeerWindow) window.pop_front();
  }
  return scores;
}

struct Tally {
  int windows = 0, found = 0, looked = 0;
  std::vector<size_t> delays;
  size_t false_rows = 0, false_alarms = 0, rows = 0;

  void add(const LabelledSeries& series, const std::vector<double>& scores, double threshold,
           double look) {
    std::vector<bool> inside(scores.size(), false);
    for (const auto& [begin, end] : series.windows) {
      ++windows;
      const auto first = scores.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto last = scores.begin() + static_cast<std::ptrdiff_t>(end);
      std::fill(inside.begin() + static_cast<std::ptrdiff_t>(begin),
                inside.begin() + static_cast<std::ptrdiff_t>(end), true);
      if (std::any_of(first, last, [&](double score) { return score >= look; })) ++looked;
      const auto hit = std::find_if(first, last, [&](double score) { return score >= threshold; });
      if (hit == last) continue;
      ++found;
      delays.push_back(static_cast<size_t>(hit - first));
    }
    const size_t begin = scores.size() * 15 / 100;
    rows += scores.size() - begin;
    size_t quiet_until = 0;
    for (size_t i = begin; i < scores.size(); ++i) {
      if (inside[i] || scores[i] < threshold) continue;
      ++false_rows;
      if (i >= quiet_until) ++false_alarms;
      quiet_until = i + 30;
    }
  }
  size_t median_delay() {
    if (delays.empty()) return 0;
    std::sort(delays.begin(), delays.end());
    return delays[delays.size() / 2];
  }
};

std::vector<LabelledSeries> make_all(uint64_t first_seed, uint64_t seeds) {
  std::vector<LabelledSeries> all;
  for (int trouble = 0; trouble < test::kTroubles; ++trouble) {
    for (int course = 0; course < test::kCourses; ++course) {
      // A count that is zero anyway drops to zero or stands still unseen, by anyone.
      const bool unseen = Course(course) == Course::kCounts &&
                          (Trouble(trouble) == Trouble::kDropout ||
                           Trouble(trouble) == Trouble::kFlat || Trouble(trouble) == Trouble::kDip);
      if (unseen) continue;
      for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
        all.push_back(test::make_series(Course(course), Trouble(trouble), seed));
      }
    }
  }
  return all;
}

double benchmark(const std::vector<LabelledSeries>& all,
                 const std::vector<std::vector<double>>& scores, double threshold) {
  test::BenchmarkScore score;
  for (size_t i = 0; i < all.size(); ++i) score.add(all[i], scores[i], threshold);
  return score.value();
}

void table(const char* title, const std::vector<LabelledSeries>& all,
           const std::vector<std::vector<double>>& scores, int kinds,
           const std::function<std::string(int)>& name,
           const std::function<int(const LabelledSeries&)>& kind_of) {
  std::printf("%-10s  found at 0.9  at 0.5  median delay  false alarms   benchmark\n", title);
  for (int kind = 0; kind < kinds; ++kind) {
    Tally tally;
    test::BenchmarkScore score;
    for (size_t i = 0; i < all.size(); ++i) {
      if (kind_of(all[i]) != kind) continue;
      tally.add(all[i], scores[i], kAlarm, 0.5);
      score.add(all[i], scores[i], kAlarm);
    }
    const double windows = std::max(1, tally.windows);
    std::printf("%-10s  %9.0f %%  %4.0f %%  %7zu rows  %5zu (%.2f per 1000 rows)  %6.1f\n",
                name(kind).c_str(), 100 * tally.found / windows, 100 * tally.looked / windows,
                tally.median_delay(), tally.false_alarms,
                1000.0 * static_cast<double>(tally.false_alarms) / static_cast<double>(tally.rows),
                score.value());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 6;
  const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const std::vector<LabelledSeries> all = make_all(first, seeds);
  const auto run = [&](const Method& method) {
    std::vector<std::vector<double>> scores;
    for (const LabelledSeries& series : all) scores.push_back(method(series));
    return scores;
  };
  const auto mine = run(ours);
  table(
      "trouble", all, mine, test::kTroubles,
      [](int kind) { return test::to_string(Trouble(kind)); },
      [](const LabelledSeries& series) { return static_cast<int>(series.trouble); });
  std::printf("\n");
  table(
      "course", all, mine, test::kCourses, [](int kind) { return test::to_string(Course(kind)); },
      [](const LabelledSeries& series) { return static_cast<int>(series.course); });

  const double fixed = benchmark(all, mine, kAlarm);
  double best = 0, best_at = 0;
  for (double threshold = 0.3; threshold < 1; threshold += 0.02) {
    const double here = benchmark(all, mine, threshold);
    if (here <= best) continue;
    best = here;
    best_at = threshold;
  }
  std::printf("\nbenchmark score at 0.9: %.1f; best %.1f at %.2f\n", fixed, best, best_at);
  double best_peer = 0;
  const std::pair<const char*, Method> peers[] = {
      {"moving_sigma", moving_sigma}, {"ewma", ewma_chart}, {"median_mad", median_mad}};
  for (const auto& [name, method] : peers) {
    const auto scores = run(method);
    double top = 0, top_at = 0;
    for (double threshold = 2; threshold < 200; threshold *= 1.15) {
      const double here = benchmark(all, scores, threshold);
      if (here <= top) continue;
      top = here;
      top_at = threshold;
    }
    std::printf("%-12s best %.1f at %.1f\n", name, top, top_at);
    best_peer = std::max(best_peer, top);
  }
  const bool ok = fixed >= 1.5 * best_peer;
  std::printf("replay_quality %.1f %.1f %.2f 1.50 %s\n", fixed, best_peer, fixed / best_peer,
              ok ? "ok" : "short");
  return ok ? 0 : 1;
}
