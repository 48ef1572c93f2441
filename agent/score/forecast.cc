#include "agent/score/forecast.h"

#include <algorithm>
#include <cmath>

namespace agent::score {

namespace {

constexpr double kDay = 86400;
constexpr double kWeek = 7 * kDay;
// 5 and 15 minutes.
constexpr size_t kDayBins = 288;
constexpr size_t kWeekBins = 672;

constexpr std::array<double, 2> kPace = {1.0, 0.2};
constexpr double kUsualMemory = 400;  // rows
constexpr double kRecent = 1.0 / 24;
constexpr double kLossMemory = 400;
constexpr double kLossClip = 5;  // an outlier counts as so many times the loss
constexpr double kYoung = 30;    // rows before anything is clipped
constexpr double kDoubt = 1.08;  // a seasonal model has to be so much better

}  // namespace

void Forecast::Loss::learn(double loss, double memory) {
  seen = std::min(seen + 1, memory);
  whole += (loss - whole) / seen;
  if (seen > kYoung && value > 0) loss = std::min(loss, kLossClip * value);
  value += (loss - value) / seen;
}

Forecast::Forecast() {
  models_[1].profile.emplace(kDay, kDayBins);
  models_[2].profile.emplace(kWeek, kWeekBins);
}

void Forecast::set_step(double step) {
  for (size_t i = 1; i <= 2; ++i) models_[i].profile->set_step(step);
}

void Forecast::set_period(size_t rows) {
  if (rows == period_) return;
  period_ = rows;
  models_[3] = Model();
  if (rows == 0) return;
  models_[3].profile.emplace(static_cast<double>(rows), rows);
  models_[3].profile->set_step(1);
}

void Forecast::find_place(Model& model, size_t index, double seconds) {
  if (index == 0) {
    model.ready = true;
    return;
  }
  model.ready = false;
  if (!model.profile || !model.profile->is_usable()) return;
  model.place = model.profile->place(index == 3 ? rows_ : seconds);
  model.ready = model.profile->knows(model.place);
}

// A series that never moves has no scale of its own; rounding must not become news.
double Forecast::floor_of_scale() const {
  return std::max({1e-6 * size_.value, 0.01 * change_.value, 1e-12});
}

Forecast::Residuals Forecast::residuals(double seconds, double value) {
  const double floor = floor_of_scale();
  Residuals best;
  double step_loss = 0, rest_loss = 0;
  for (size_t i = 0; i < kModels; ++i) {
    Model& model = models_[i];
    find_place(model, i, seconds);
    if (!model.ready) continue;
    const double course = i == 0 ? 0 : model.profile->value(model.place);
    model.left = value - course;
    if (i > 0 && model.seen < kYoung) continue;
    const double doubt = i == 0 ? 1 : kDoubt;
    for (size_t pace = 0; pace < kPaces; ++pace) {
      const double loss = doubt * model.step_loss[pace].whole;
      if ((i > 0 || pace > 0) && loss >= step_loss) continue;
      step_loss = loss;
      const double spread = i == 0 ? 1 : model.profile->spread(model.place, model.rest_loss.value);
      best.step =
          (model.left - model.before[pace]) / std::max(spread * model.step_loss[pace].value, floor);
    }
    const double loss = doubt * model.rest_loss.whole;
    if (i > 0 && loss >= rest_loss) continue;
    rest_loss = loss;
    const double spread = i == 0 ? 1 : model.profile->spread(model.place, model.rest_loss.value);
    best.rest = (model.left - model.usual) / std::max(spread * model.rest_loss.value, floor);
  }
  return best;
}

void Forecast::learn(double value, double hurry) {
  for (size_t i = 0; i < kModels; ++i) {
    Model& model = models_[i];
    if (i > 0 && model.profile && model.profile->is_usable()) {
      // A course is learned about the level of the series at that time.
      model.profile->learn(model.place, value - (model.ready ? model.usual : models_[0].usual),
                           model.rest_loss.value);
    }
    if (!model.ready) continue;
    model.seen += 1;
    if (model.seen == 1) {
      model.before.fill(model.left);
      model.usual = model.recent = model.left;
      continue;
    }
    for (size_t pace = 0; pace < kPaces; ++pace) {
      const double step = model.left - model.before[pace];
      model.step_loss[pace].learn(std::fabs(step), kLossMemory);
      model.before[pace] += kPace[pace] * step;
    }
    double rest = model.left - model.usual;
    model.rest_loss.learn(std::fabs(rest), kLossMemory);
    const double memory = std::min(model.seen, kUsualMemory);
    if (model.seen > kYoung) {
      const double most = 3 * std::max(model.rest_loss.value, 1e-12);
      rest = std::clamp(rest, -most, most);
    }
    model.usual += rest / memory;
    model.recent += kRecent * (model.left - model.recent);
    if (hurry > 1)
      model.usual += std::min(hurry / kUsualMemory, 0.2) * (model.recent - model.usual);
  }
  size_.learn(std::fabs(value), kLossMemory);
  if (rows_ > 0) change_.learn(std::fabs(value - last_), kLossMemory);
  last_ = value;
  rows_ += 1;
}

}  // namespace agent::score
