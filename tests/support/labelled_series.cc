#include "tests/support/labelled_series.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <random>

namespace test {

namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr int64_t kMonday = 1'767'571'200;  // 2026-01-05T00:00:00Z
// No trouble before so many of the rows: something has to be known first.
constexpr double kQuiet = 0.3;
constexpr double kWindow = 0.05;  // of the rows
constexpr double kProbation = 0.15;

class Maker {
 public:
  Maker(Course course, Trouble trouble, uint64_t seed)
      : random_(seed * 1000 + static_cast<uint64_t>(course) * 20 + static_cast<uint64_t>(trouble)) {
    series_.course = course;
    series_.trouble = trouble;
    scale_ = std::pow(10, uniform(-3, 6));
    phase_ = uniform(0, 1);
    noise_ = uniform(0.02, 0.15);
    cycle_ = std::floor(uniform(20, 200));
    constexpr std::array<int64_t, 4> kSteps = {60, 300, 300, 900};
    step_ = kSteps[random_() % kSteps.size()];
  }

  LabelledSeries make(size_t rows) {
    for (size_t i = 0; i < rows; ++i) {
      const int64_t at = kMonday + static_cast<int64_t>(i) * step_;
      series_.rows.push_back({at, course(i, at)});
    }
    if (series_.trouble != Trouble::kNone) {
      const size_t count = 1 + random_() % 2;
      const auto part = static_cast<double>(rows) * (0.92 - kQuiet) / static_cast<double>(count);
      for (size_t i = 0; i < count; ++i) {
        const double begin = static_cast<double>(rows) * kQuiet + part * static_cast<double>(i);
        place(static_cast<size_t>(begin + uniform(0.05, 0.6) * part));
      }
    }
    for (LabelledSeries::Row& row : series_.rows) row.value *= scale_;
    return std::move(series_);
  }

 private:
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  double normal() { return std::normal_distribution<double>()(random_); }

  double course(size_t row, int64_t at) {
    const double day = static_cast<double>(at % 86400) / 86400;
    const bool weekend = (at - kMonday) / 86400 % 7 >= 5;
    switch (series_.course) {
      case Course::kSeasonal: {
        const double wave = std::sin(kTurn * (day + phase_)) + 0.3 * std::sin(2 * kTurn * day);
        const double level = 3 + (weekend ? 0.6 : 1) * wave;
        return level * (1 + noise_ * normal());
      }
      case Course::kNoisy:
        state_ = 0.6 * state_ + normal();
        return 5 + 3 * noise_ * state_;
      case Course::kHeavy:
        return std::exp(0.6 * normal()) * (random_() % 150 == 0 ? uniform(2, 6) : 1);
      case Course::kWandering:
        state_ = 0.995 * state_ + 0.1 * normal();
        return 10 + state_ + 0.02 * normal();
      case Course::kCounts:
        return std::poisson_distribution<int>(5 * noise_)(random_);
      case Course::kBatch:
        return 1 + noise_ * normal() + (row % 72 < 3 ? 6 + normal() * noise_ * 4 : 0);
      case Course::kSawtooth:
        state_ += uniform(0.5, 1.5) / 120;
        if (state_ > 1) state_ = uniform(0, 0.1);
        return 2 + 3 * state_ + 0.3 * noise_ * normal();
      case Course::kCycle:
        return 4 + 2 * std::sin(kTurn * static_cast<double>(row) / cycle_) + 3 * noise_ * normal();
    }
    return 0;
  }

  // How much the series varies by itself, from row to row and in all.
  struct Variation {
    double step = 0, whole = 0, level = 0;
  };
  Variation variation(size_t until) const {
    Variation found;
    std::vector<double> values, steps;
    for (size_t i = 1; i < until; ++i) {
      values.push_back(series_.rows[i].value);
      steps.push_back(std::fabs(series_.rows[i].value - series_.rows[i - 1].value));
    }
    const auto quantile = [](std::vector<double>& list, double part) {
      const auto at = list.begin() + static_cast<std::ptrdiff_t>(part * (list.size() - 1.0));
      std::nth_element(list.begin(), at, list.end());
      return *at;
    };
    found.step = std::max(quantile(steps, 0.9), 1e-3);
    found.level = quantile(values, 0.5);
    found.whole = std::max(quantile(values, 0.98) - quantile(values, 0.02), found.step);
    return found;
  }

  void place(size_t at) {
    const Variation usual = variation(at);
    const size_t size = series_.rows.size();
    const size_t length = static_cast<size_t>(uniform(25, 70));
    const double sign = random_() % 2 == 0 ? 1 : -1;
    const double size_of = uniform(1.0, 2.0);
    const double frozen = series_.rows[at - 1].value;
    for (size_t i = at; i < size; ++i) {
      double& value = series_.rows[i].value;
      const bool inside = i < at + length;
      switch (series_.trouble) {
        case Trouble::kSpike:
          if (i < at + 2) value += size_of * (usual.whole + 2 * usual.step);
          break;
        case Trouble::kDip:
          if (i < at + 3) value -= size_of * (usual.whole + 2 * usual.step);
          break;
        case Trouble::kShift:
          value += sign * 0.7 * size_of * (usual.whole + usual.step);
          break;
        case Trouble::kDropout:
          if (inside) value = 0;
          break;
        case Trouble::kNoise:
          if (inside) value += 2.5 * size_of * usual.step * normal();
          break;
        case Trouble::kFlat:
          if (inside) value = frozen;
          break;
        case Trouble::kRamp:
          if (inside) {
            value += size_of * usual.whole * static_cast<double>(i - at) / 25.0;
          }
          break;
        case Trouble::kSilent:
          if (inside) value = std::numeric_limits<double>::quiet_NaN();
          break;
        case Trouble::kNone:
          break;
      }
    }
    const size_t window = static_cast<size_t>(kWindow * static_cast<double>(size));
    series_.windows.push_back({at, std::min(at + window, size)});
  }

  std::mt19937_64 random_;
  LabelledSeries series_;
  double scale_ = 1, phase_ = 0, noise_ = 0, cycle_ = 0;
  int64_t step_ = 300;
  double state_ = 0;
};

}  // namespace

std::string to_string(Course course) {
  constexpr std::array<const char*, kCourses> kNames = {
      "seasonal", "noisy", "heavy", "wandering", "counts", "batch", "sawtooth", "cycle"};
  return kNames[static_cast<size_t>(course)];
}

std::string to_string(Trouble trouble) {
  constexpr std::array<const char*, kTroubles> kNames = {
      "none", "spike", "dip", "shift", "dropout", "noise", "flat", "ramp", "silent"};
  return kNames[static_cast<size_t>(trouble)];
}

LabelledSeries make_series(Course course, Trouble trouble, uint64_t seed, size_t rows) {
  return Maker(course, trouble, seed).make(rows);
}

void BenchmarkScore::add(const LabelledSeries& series, const std::vector<double>& scores,
                         double threshold) {
  const auto sigmoid = [](double y) { return 2 / (1 + std::exp(5 * y)) - 1; };
  windows_ += static_cast<double>(series.windows.size());
  std::vector<bool> found(series.windows.size(), false);
  const auto probation = static_cast<size_t>(kProbation * static_cast<double>(scores.size()));
  for (size_t i = std::min<size_t>(probation, 750); i < scores.size(); ++i) {
    if (!(scores[i] >= threshold)) continue;
    double cost = 1;
    bool inside = false;
    for (size_t w = 0; w < series.windows.size(); ++w) {
      const auto [begin, end] = series.windows[w];
      const auto length = static_cast<double>(end - begin);
      if (i >= begin && i < end) {
        inside = true;
        if (!found[w]) sum_ += sigmoid(-static_cast<double>(end - i) / length);
        found[w] = true;
      } else if (i >= end) {
        const double past = static_cast<double>(i - end) / length;
        cost = past > 3 ? 1 : -sigmoid(past);
      }
    }
    if (!inside) sum_ -= 0.11 * cost;
  }
  sum_ -= static_cast<double>(std::count(found.begin(), found.end(), false));
}

}  // namespace test
