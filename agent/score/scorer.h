// Scorer: how unusual each value of a series is, from 0 (as always) to 1, from what came before it.
//
// Idea: several questions about each row, each answered by a magnitude whose own distribution in
// this very series is learned (tail.h), so that all answers are probabilities and nothing is tuned
// by hand:
//   step   is the value far from the moment before?                spikes, dips, edges
//   rest   is it, or the mean of the last rows, far from usual?    shifts, a day without its peak
//   spread do values vary more or less than usual?                 noise, calm
//   flat   does it stand still for longer than ever?               a dead sensor
//   absent is it missing for longer than ever?                     a dead source
// The least likely answer is the score: 0.5 is one row in a thousand (worth a look), above 0.9 one
// in some ten thousand (an alarm). An alarm is loud when it begins and does not go on about the
// same thing: the score falls to "worth a look" while the trouble lasts, and a new level is the
// usual one after some dozens of rows.
//
// Cost: O(1) time and memory. Pure: the same rows give the same scores.
#pragma once

#include <array>
#include <string_view>

#include "agent/score/forecast.h"
#include "agent/score/pace.h"
#include "agent/score/period.h"
#include "agent/score/tail.h"
#include "base/time/clock.h"

namespace agent::score {

// The question whose answer was the least likely.
enum class Reason { kNone, kStep, kRest, kSpread, kFlat, kAbsent };
std::string_view to_string(Reason reason);  // "step", …

struct Score {
  double value = 0;  // in [0,1]
  Reason reason = Reason::kNone;
};

// Thread: its owner's.
class Scorer {
 public:
  // `only`: ask this question alone; kNone: all of them.
  explicit Scorer(Reason only = Reason::kNone) : only_(only) {}

  // `value` may be NaN: missing at that time. Time should not go back; where it does it counts as
  // one step.
  Score score(base::WallTime at, double value);

 private:
  // Magnitudes of one question, upwards and downwards.
  struct Sided {
    Tail up, down;
    explicit Sided(double threshold) : up(threshold), down(threshold) {}
    double surprise(double x) const { return x >= 0 ? up.surprise(x) : down.surprise(-x); }
    void learn(double x) {
      up.learn(x > 0 ? x : 0);
      down.learn(x < 0 ? -x : 0);
    }
  };
  // Runs of equal or of missing values against the longest of the past.
  struct Run {
    double length = 0;
    double longest = 0;
    double seen = 0;  // rows that were part of one
    double surprise(double rows, double least) const;
    void add(bool goes_on);
  };
  struct Answer {
    double surprise = 0;
    Reason reason = Reason::kNone;
    void consider(double other, Reason why) {
      if (other <= surprise) return;
      surprise = other;
      reason = why;
    }
  };
  static constexpr size_t kWindows = 3;

  void consider(Answer& answer, double surprise, Reason why) const {
    if (only_ == Reason::kNone || only_ == why) answer.consider(surprise, why);
  }
  Answer judge(double seconds, double value);
  Score conclude(Answer answer);

  Reason only_;  // constant after construction
  Pace pace_;
  Period period_;
  Forecast forecast_;
  Sided step_{2.5};
  Sided rest_{2.5};
  std::array<double, kWindows> means_{};
  std::array<Sided, kWindows> mean_tails_{Sided(2.0), Sided(1.8), Sided(1.5)};
  double spread_mean_ = 0;   // of the logarithm of steps, lately
  double spread_usual_ = 0;  // and in the long run
  Sided spread_{0.8};
  Run flat_, absent_;
  double last_ = 0;
  double rows_ = 0;
  double known_ = 0;   // how much of an alarm has been told already
  double alarms_ = 0;  // begun lately
  bool loud_ = false;
  double lasting_ = 0;  // rows for which the mean has been unusual
};

}  // namespace agent::score
