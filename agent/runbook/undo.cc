// The way back of a run: undoing what was done, in reverse, until something cannot be undone.
#include "agent/runbook/execution.h"
#include "agent/runbook/sample.h"

namespace agent::runbook {

using boost::asio::awaitable;

// Takes back what was done, newest first, until something cannot be taken back.
awaitable<Ended> Execution::backward() {
  const std::string why = live_.run.message;
  bool changed = false;
  for (size_t index = live_.records.size(); index-- > 0;) {
    const PlannedStep& planned = live_.plan.steps[index];
    const StepState state = live_.records[index].state;
    if (state == StepState::kUndone) changed = true;
    const bool effect = state == StepState::kObserved || state == StepState::kVerified ||
                        state == StepState::kUndoing;
    if (!effect || planned.cls == Class::kObserve) continue;
    changed = true;
    if (!planned.step.undo.has_value() || planned.step.point_of_no_return) {
      co_return co_await finish(Outcome::kHandedOver,
                                why + "; step " + planned.id + " was done and cannot be undone");
    }
    const Flow flow = co_await undo(index);
    if (flow == Flow::kOut) co_return ended_;
    if (flow != Flow::kNext) {
      co_return co_await finish(Outcome::kHandedOver, why + "; undoing failed: " + reason_);
    }
  }
  if (live_.run.abort_requested) co_return co_await finish(Outcome::kAborted, why);
  if (changed) {
    co_return co_await finish(Outcome::kUndone, why + "; everything done was undone");
  }
  co_return co_await finish(Outcome::kHandedOver, why + "; nothing was changed");
}

awaitable<Execution::Flow> Execution::undo(size_t index) {
  const PlannedStep& planned = live_.plan.steps[index];
  StepRecord& now = live_.records[index];
  if (now.state == StepState::kUndoing) {  // interrupted while undoing
    const Flow flow = co_await settle_undo(index);
    if (flow != Flow::kNext || now.state == StepState::kUndone) co_return flow;
  } else {
    const bool alive = co_await record(index, StepState::kUndoing, planned.step.undo->action);
    if (!alive) co_return Flow::kOut;
  }
  std::string name = planned.step.undo->action;
  ActionCall what = call_for(index, "/undo", planned.undo_with);
  const ActionResult result = co_await call(std::move(name), std::move(what));
  if (!parts_.journal.pass(live_, &now, "undo_acted")) co_return out(Ended::kHalted);
  if (!result.ok()) {
    now.note = result.error().to_string();
    if (certainly_nothing(result.code())) co_return fail(planned.id + ": " + now.note);
    const Flow flow = co_await settle_undo(index);
    if (flow != Flow::kNext || now.state == StepState::kUndone) co_return flow;
    co_return fail(planned.id + ": " + now.note + "; its probe says that nothing happened");
  }
  const bool alive = co_await record(index, StepState::kUndone, "undone");
  co_return alive ? Flow::kNext : Flow::kOut;
}

// kNext: undone, or still undoing and certainly not done yet.
awaitable<Execution::Flow> Execution::settle_undo(size_t index) {
  const PlannedStep& planned = live_.plan.steps[index];
  StepRecord& now = live_.records[index];
  std::string name = planned.step.undo->action;
  ActionCall what = call_for(index, "/undo", planned.undo_with);
  const ProbeAnswer answer = co_await probe(std::move(name), std::move(what));
  if (!parts_.journal.pass(live_, &now, "undo_probed")) co_return out(Ended::kHalted);
  if (answer.happened == Happened::kNo) co_return Flow::kNext;
  if (answer.happened == Happened::kYes) {
    const bool alive = co_await record(index, StepState::kUndone, "found undone by its probe");
    co_return alive ? Flow::kNext : Flow::kOut;
  }
  now.note = "its probe cannot tell whether it was undone, so it is not repeated";
  std::string text = now.note;
  const bool alive = co_await record(index, StepState::kUnknown, std::move(text));
  if (!alive) co_return Flow::kOut;
  reason_ = planned.id + ": " + now.note;
  co_return Flow::kUnknown;
}

}  // namespace agent::runbook
