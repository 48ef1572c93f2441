// Forecast: what the next value should be, by several simple models that compete.
//
// Idea: each model says what is left of a value when a usual course is taken away: nothing, the
// course of the day, that of the week, or that of a period found in the series itself. What is left
// is compared with where it was just now (a step) and with where it has long been (a rest). For
// each of the two comparisons the model with the least loss lately is believed, so that a series
// without seasons is not judged by imagined ones, and a regular job at three in the morning is
// expected at three in the morning. Losses are the scale of their own residuals: nothing here knows
// units.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "agent/score/profile.h"

namespace agent::score {

// Thread: its owner's. Memory: constant once the sampling step is known.
class Forecast {
 public:
  Forecast();

  // The time between samples, in seconds; phases are learned afresh when it changes.
  void set_step(double step);
  // A period of the series itself, in rows; 0: none.
  void set_period(size_t rows);

  // Residuals in units of their usual size (mean absolute); of the models believed at present.
  struct Residuals {
    double step = 0;  // against the moment before
    double rest = 0;  // against the long run
  };
  // What is known before `value` is learned. Call learn() with the same arguments after it.
  Residuals residuals(double seconds, double value);
  // `hurry`: how many times faster than usual a new level is taken for the usual one.
  void learn(double value, double hurry);

 private:
  static constexpr size_t kModels = 4;  // none, day, week, the series' own period
  static constexpr size_t kPaces = 2;   // how the moment before is remembered

  struct Loss {
    double value = 0;  // outliers clipped: the scale of a residual
    double whole = 0;  // and not: what a model has to answer for
    double seen = 0;
    void learn(double loss, double memory);
  };
  struct Model {
    std::optional<Profile> profile;
    Profile::Place place;
    bool ready = false;  // knows what to expect at this row
    double left = 0;     // of the present value
    double seen = 0;
    std::array<double, kPaces> before{};
    double usual = 0;
    double recent = 0;  // the mean of the last dozens
    std::array<Loss, kPaces> step_loss;
    Loss rest_loss;
  };

  void find_place(Model& model, size_t index, double seconds);
  double floor_of_scale() const;

  std::array<Model, kModels> models_;
  Loss size_;        // mean absolute value
  Loss change_;      // mean absolute change from row to row
  double last_ = 0;  // value
  double rows_ = 0;
  size_t period_ = 0;
};

}  // namespace agent::score
