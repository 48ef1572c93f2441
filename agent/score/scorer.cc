#include "agent/score/scorer.h"

#include <algorithm>
#include <cmath>

namespace agent::score {

namespace {

// The windows over which rests are averaged, in rows.
constexpr std::array<double, 3> kWindow = {6, 24, 96};
constexpr double kRestClip = 5;  // a single outlier is the step's business, not the mean's
constexpr double kSpreadWindow = 20;
constexpr double kSpreadMemory = 600;
constexpr double kLeastStep = 0.02;  // steps below so many usual ones count as this

// Decades of unlikeliness: worth a look, and what another factor of nine in the odds costs.
constexpr double kLook = 2.8;
constexpr double kAlarm = 3.8;
constexpr double kSteepness = 2.1972 / (kAlarm - kLook);  // ln 9

constexpr double kSettled = 150;  // rows after which answers are believed in full
constexpr double kFirst = 10;     // and before which nothing is

// How fast something told becomes known, and how fast it is forgotten again.
constexpr double kTold = 0.12;
constexpr double kForgotten = 0.99;
constexpr double kLasting = 0.6;  // the score of what is known but still there

// A series that raises alarm after alarm is not understood: it takes more to raise another.
constexpr double kLoud = 0.9;
constexpr double kUsualAlarms = 2;
constexpr double kOften = 0.4;
constexpr double kAlarmsForgotten = 0.9993;

// A mean that has been so unusual for so many rows is a new level.
constexpr double kNewLevel = 3;
constexpr double kNewLevelAfter = 48;
constexpr double kHurry = 20;

}  // namespace

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kStep:
      return "step";
    case Reason::kRest:
      return "rest";
    case Reason::kSpread:
      return "spread";
    case Reason::kFlat:
      return "flat";
    case Reason::kAbsent:
      return "absent";
    case Reason::kNone:
      break;
  }
  return "none";
}

double Scorer::Run::surprise(double rows, double least) const {
  const double beyond = length - std::max(least, 2 * longest);
  if (beyond <= 0) return 0;
  // What happens all the time is no surprise when it goes on a little longer.
  const double share = (seen + 1) / (rows + 2);
  return beyond * std::min(-std::log10(share), 1.5);
}

void Scorer::Run::add(bool goes_on) {
  if (goes_on) {
    length += 1;
    seen += 1;
    return;
  }
  // One long run teaches only a little, and long ago counts less.
  if (length > 0) longest = std::max(longest, std::min(length, 2 * longest + 3));
  longest *= 0.9998;
  length = 0;
}

Score Scorer::score(base::WallTime at, double value) {
  const double seconds = static_cast<double>(at.ns) * 1e-9;
  if (pace_.add(seconds)) forecast_.set_step(pace_.step());
  const bool missing = !std::isfinite(value);
  absent_.add(missing);
  if (missing) {
    Answer answer;
    consider(answer, absent_.surprise(rows_, 2), Reason::kAbsent);
    return conclude(answer);
  }
  Answer answer = judge(seconds, value);
  return conclude(answer);
}

Scorer::Answer Scorer::judge(double seconds, double value) {
  Answer answer;
  if (rows_ > 0) flat_.add(value == last_);
  consider(answer, flat_.surprise(rows_, 6), Reason::kFlat);
  last_ = value;

  const Forecast::Residuals now = forecast_.residuals(seconds, value);
  consider(answer, step_.surprise(now.step), Reason::kStep);
  step_.learn(now.step);
  consider(answer, rest_.surprise(now.rest), Reason::kRest);
  rest_.learn(now.rest);

  double mean_surprise = 0;
  const double rest = std::clamp(now.rest, -kRestClip, kRestClip);
  for (size_t i = 0; i < kWindows; ++i) {
    means_[i] += (rest - means_[i]) / kWindow[i];
    mean_surprise = std::max(mean_surprise, mean_tails_[i].surprise(means_[i]));
    mean_tails_[i].learn(means_[i]);
  }
  consider(answer, mean_surprise, Reason::kRest);

  const double size = std::log(std::clamp(std::fabs(now.step), kLeastStep, 20.0));
  spread_mean_ += (size - spread_mean_) / std::min(kSpreadWindow, rows_ + 1);
  spread_usual_ += (size - spread_usual_) / std::min(kSpreadMemory, rows_ + 1);
  const double change = spread_mean_ - spread_usual_;
  consider(answer, spread_.surprise(change), Reason::kSpread);
  spread_.learn(change);

  lasting_ = mean_surprise >= kNewLevel ? lasting_ + 1 : 0;
  forecast_.learn(value, lasting_ > kNewLevelAfter ? kHurry : 1);
  if (period_.add(value)) forecast_.set_period(period_.rows());
  rows_ += 1;
  if (rows_ < kFirst) return {};
  answer.surprise *= std::sqrt(std::min(1.0, rows_ / kSettled));
  return answer;
}

Score Scorer::conclude(Answer answer) {
  const auto odds = [](double surprise) {
    return 1 / (1 + std::exp(-kSteepness * (surprise - kLook)));
  };
  const double often = std::max(alarms_ - kUsualAlarms, 0.0) * kOften;
  const double news = std::max(answer.surprise - known_ - often, 0.0);
  Score score;
  score.reason = answer.reason;
  score.value = std::max(odds(news), std::min(odds(answer.surprise), kLasting));
  const bool is_told = answer.surprise > std::max(known_, kAlarm);
  known_ = is_told ? known_ + kTold * (answer.surprise - known_) : known_ * kForgotten;
  const bool begins = score.value > kLoud && !loud_;
  loud_ = score.value > kLoud;
  alarms_ = alarms_ * kAlarmsForgotten + (begins ? 1 : 0);
  return score;
}

}  // namespace agent::score
