#include "agent/rule/load_step.h"

#include <algorithm>
#include <cmath>

namespace agent::rule {
namespace {

constexpr double kStepRequests = 200;  // per second; smaller steps of the load are no steps
constexpr double kMinute = 60;         // time constant of the usual load, in seconds
// That of a new step: it often begins with a rush, which is not the load that stays.
constexpr double kFollow = 1;
// Times in a row: a second at the load before, ten at any.
constexpr int kBack = 4;
constexpr int kWell = 40;
constexpr double kAgain = 1.5;  // times the highest of the last step; less is no new load
constexpr base::Duration kRemember = std::chrono::minutes(1);

}  // namespace

LoadStep::News LoadStep::note(const Quarter& told, base::Instant at, const ShiftRule& rule) {
  const double rate = rate_ = told.rate;
  if (usual_ < 0) usual_ = rate;
  if (is_new(at)) highest_ = std::max(highest_, rate);
  if (told.may_step && rate >= rule.load_step * usual_ && rate - usual_ >= kStepRequests) {
    if (!is_up()) {
      before_ = usual_;
      since_ = at;
    }
    usual_ = rate;
    back_ = well_ = 0;
    if (at < no_news_until_ && rate <= kAgain * highest_) return News::kStepsAgain;
    highest_ = rate;
    new_until_ = at + rule.hold;
    no_news_until_ = new_until_ + kRemember;
    return News::kSteps;
  }
  usual_ += base::to_seconds(kEvery) / (is_new(at) ? kFollow : kMinute) * (rate - usual_);
  if (!is_up()) return News::kNone;
  const double low = std::max(before_ * std::sqrt(rule.load_step), before_ + kStepRequests / 4);
  back_ = rate <= low && told.is_well ? back_ + 1 : 0;
  well_ = told.is_well && !is_new(at) ? well_ + 1 : 0;
  if (back_ >= kBack) {
    usual_ = before_;
    new_until_ = at;
  }
  if (back_ >= kBack || well_ >= kWell) {
    since_ = base::Instant();
    return News::kIsOver;
  }
  if (at - since_ <= rule.forget) return News::kNone;
  since_ = base::Instant();
  return News::kIsUsual;
}

std::optional<LoadStep::Up> LoadStep::up() const {
  if (!is_up()) return std::nullopt;
  return Up{since_, before_, usual_};
}

void LoadStep::restore(const Up& up) {
  since_ = up.since;
  before_ = up.before;
  usual_ = up.usual;
}

}  // namespace agent::rule
