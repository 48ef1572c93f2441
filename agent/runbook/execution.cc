#include "agent/runbook/execution.h"

#include <algorithm>

#include "agent/runbook/cooldown.h"
#include "agent/runbook/reference.h"
#include "agent/runbook/sample.h"
#include "agent/runbook/within.h"
#include "base/core/hash.h"

namespace agent::runbook {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Instant;
using base::Result;
using boost::asio::awaitable;
using namespace std::chrono_literals;

namespace {

// An action answers by its own deadline; this much later the engine stops waiting for it.
constexpr base::Duration kGrace = 1s;
constexpr base::Duration kWaitSlice = 100ms;  // of a wait: how soon stop and abort are noticed
constexpr base::Duration kProbeTime = 5s;

// Full jitter, from the step and the attempt: rooms that decide have no dice.
base::Duration backoff(const RetryRule& rule, const std::string& key, int attempt) {
  base::Duration ceiling = rule.backoff_min;
  for (int i = 1; i < attempt && ceiling < rule.backoff_max; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, rule.backoff_max);
  const uint64_t dice = base::hash64(key, static_cast<uint64_t>(attempt));
  return base::Duration(static_cast<int64_t>(dice % static_cast<uint64_t>(ceiling.count() + 1)));
}

}  // namespace

awaitable<Ended> Execution::drive() {
  if (live_.run.state == RunState::kRunning) {
    const Flow flow = co_await forward();
    if (flow == Flow::kOut) co_return ended_;
    if (flow == Flow::kNext) {
      std::string text = live_.run.runbook + " completed";
      if (!live_.run.target.empty()) text += " for " + live_.run.target;
      co_return co_await finish(Outcome::kCompleted, std::move(text));
    }
    if (flow == Flow::kUnknown) co_return co_await finish(Outcome::kHandedOver, reason_);
    live_.run.state = RunState::kUndoing;
    live_.run.message = reason_;
    Move move("failed");
    move.text = reason_;
    const Written how = co_await parts_.journal.write(live_, std::move(move));
    const bool alive = written(how);
    if (!alive) co_return ended_;
    tell(RunEvent::Kind::kUndoing, nullptr, reason_);
  }
  co_return co_await backward();
}

awaitable<Execution::Flow> Execution::forward() {
  for (size_t index = live_.run.current; index < live_.records.size(); ++index) {
    live_.run.current = index;
    live_.run.step = live_.records[index].id;
    const Flow flow = co_await step(index);
    if (flow != Flow::kNext) co_return flow;
  }
  co_return Flow::kNext;
}

awaitable<Execution::Flow> Execution::step(size_t index) {
  const StepRecord& record_now = live_.records[index];
  Flow flow = Flow::kNext;
  switch (record_now.state) {
    case StepState::kSkipped:
    case StepState::kVerified:
      co_return Flow::kNext;
    case StepState::kFailed:
      co_return fail(record_now.id + ": " + record_now.note);
    case StepState::kUnknown:
      reason_ = record_now.id + ": " + record_now.note;
      co_return Flow::kUnknown;
    case StepState::kPlanned:
      flow = co_await prepare(index);
      break;
    case StepState::kIntent:
    case StepState::kActing:
      flow = co_await settle(index, true);
      if (flow == Flow::kNext) flow = co_await judge_again(index);
      break;
    default:
      break;
  }
  if (flow != Flow::kNext) co_return flow;
  if (record_now.state == StepState::kIntent || record_now.state == StepState::kActing) {
    flow = co_await act(index);
    if (flow != Flow::kNext) co_return flow;
  }
  const bool verifies = live_.plan.steps[index].step.verify.has_value();
  if (record_now.state == StepState::kObserved && verifies) co_return co_await verify(index);
  co_return Flow::kNext;
}

// planned → intent or skipped: everything that can say no says it here.
awaitable<Execution::Flow> Execution::prepare(size_t index) {
  const PlannedStep& planned = live_.plan.steps[index];
  if (parts_.stopping) co_return out(Ended::kStopped);
  if (live_.run.abort_requested) co_return fail("aborted by " + live_.run.abort_by);
  const json::object values = scope();
  if (planned.step.when.has_value()) {
    const Expression::Answer answer = planned.step.when->evaluate(lookup_in(values));
    if (answer.truth == Truth::kUnknown) {
      co_return fail(planned.id + ": cannot tell whether " + planned.step.when->text() + ": " +
                     answer.reason);
    }
    if (answer.truth == Truth::kNo) co_return co_await skip(index, answer.reason);
  }
  if (Result<> done = all_resolved(substitute(json::value(planned.with), values)); !done.ok()) {
    co_return fail(planned.id + ": " + done.error().context);
  }
  if (const std::string refusal = guards_refusal(index); !refusal.empty()) {
    co_return fail(planned.id + ": " + refusal);
  }
  live_.records[index].started = parts_.engine.timers.clock().wall();
  std::string text = planned.step.action + " is about to begin";
  const bool alive = co_await record(index, StepState::kIntent, std::move(text));
  co_return alive ? Flow::kNext : Flow::kOut;
}

awaitable<Execution::Flow> Execution::skip(size_t index, std::string why) {
  live_.records[index].note = "not needed: " + why;
  std::string text = live_.records[index].note;
  const bool alive = co_await record(index, StepState::kSkipped, std::move(text));
  co_return alive ? Flow::kNext : Flow::kOut;
}

// intent → acting → observed, with retries after errors that certainly did nothing.
awaitable<Execution::Flow> Execution::act(size_t index) {
  const PlannedStep& planned = live_.plan.steps[index];
  while (true) {
    StepRecord& now = live_.records[index];
    ++now.attempt;
    std::string begun = planned.step.action + ", attempt " + std::to_string(now.attempt);
    bool alive = co_await record(index, StepState::kActing, std::move(begun));
    if (!alive) co_return Flow::kOut;
    std::string name = planned.step.action;
    ActionCall what = call_for(index, "", planned.with);
    ActionResult result = co_await call(std::move(name), std::move(what));
    if (!parts_.journal.pass(live_, &now, "acted")) co_return out(Ended::kHalted);
    if (result.ok()) {
      now.value = std::move(*result);
      now.note.clear();
      alive = co_await record(index, StepState::kObserved, "done");
      co_return alive ? Flow::kNext : Flow::kOut;
    }
    Error error = result.error();
    const Flow flow = co_await after_failure(index, std::move(error));
    if (flow != Flow::kNext || now.state == StepState::kObserved) co_return flow;
  }
}

// kNext with the step still acting: try again.
awaitable<Execution::Flow> Execution::after_failure(size_t index, Error error) {
  const PlannedStep& planned = live_.plan.steps[index];
  StepRecord& now = live_.records[index];
  now.note = error.to_string();
  const bool certain = planned.cls == Class::kObserve || certainly_nothing(error.code);
  if (!certain) co_return co_await settle(index, false);
  const RetryRule& rule = planned.step.retry;
  const bool listed = std::find(rule.on.begin(), rule.on.end(), error.code) != rule.on.end();
  if (listed && now.attempt <= rule.max && live_.run.retries < parts_.policy->retries_per_run) {
    ++live_.run.retries;
    const bool undisturbed =
        co_await pause(backoff(rule, live_.run.id + "/" + planned.id, now.attempt));
    if (undisturbed) co_return Flow::kNext;
    if (parts_.journal.halted()) co_return out(Ended::kHalted);
    if (parts_.stopping) co_return out(Ended::kStopped);
  }
  std::string text = now.note;
  const bool alive = co_await record(index, StepState::kFailed, std::move(text));
  if (!alive) co_return Flow::kOut;
  co_return fail(planned.id + ": " + now.note);
}

// Did it happen? After a crash a clear no lets it act again, under the same key; after an act of this
// process that gave no clear answer, never.
awaitable<Execution::Flow> Execution::settle(size_t index, bool may_act_again) {
  const PlannedStep& planned = live_.plan.steps[index];
  StepRecord& now = live_.records[index];
  if (planned.cls == Class::kObserve) co_return Flow::kNext;  // it only reads: ask it again
  std::string name = probe_of(index);
  ActionCall what = call_for(index, "", planned.with);
  ProbeAnswer answer = co_await probe(std::move(name), std::move(what));
  if (!parts_.journal.pass(live_, &now, "probed")) co_return out(Ended::kHalted);
  if (answer.happened == Happened::kYes) {
    now.value = std::move(answer.value);
    now.note = "found done by its probe";
    const bool alive = co_await record(index, StepState::kObserved, "found done by its probe");
    co_return alive ? Flow::kNext : Flow::kOut;
  }
  if (answer.happened == Happened::kNo && may_act_again) {
    if (parts_.stopping) co_return out(Ended::kStopped);
    co_return Flow::kNext;
  }
  const bool nothing = answer.happened == Happened::kNo;
  if (now.note.empty()) now.note = "interrupted";
  now.note += nothing ? "; its probe says that nothing happened"
                      : "; its probe cannot tell whether it happened, so it is not repeated";
  const StepState state = nothing ? StepState::kFailed : StepState::kUnknown;
  std::string text = now.note;
  const bool alive = co_await record(index, state, std::move(text));
  if (!alive) co_return Flow::kOut;
  reason_ = planned.id + ": " + now.note;
  co_return nothing ? Flow::kFailed : Flow::kUnknown;
}

// intent or acting, found after a crash and certainly not done: the world may have become another
// one while nobody looked, so what said yes before is asked again. kNext: it may act, or is done.
awaitable<Execution::Flow> Execution::judge_again(size_t index) {
  StepRecord& now = live_.records[index];
  if (now.state != StepState::kIntent && now.state != StepState::kActing) co_return Flow::kNext;
  std::string refusal =
      live_.run.abort_requested ? "aborted by " + live_.run.abort_by : guards_refusal(index);
  if (refusal.empty()) co_return Flow::kNext;
  now.note = std::move(refusal);
  std::string text = now.note + "; it was interrupted before anything happened";
  const bool alive = co_await record(index, StepState::kFailed, std::move(text));
  if (!alive) co_return Flow::kOut;
  co_return fail(now.id + ": " + now.note);
}

// observed → verified: holds without a break for `for`, before `within` is over.
awaitable<Execution::Flow> Execution::verify(size_t index) {
  const PlannedStep& planned = live_.plan.steps[index];
  const Verify& rule = *planned.step.verify;
  base::Clock& clock = parts_.engine.timers.clock();
  const Instant end = clock.now() + rule.within;
  std::optional<Instant> holding_since;
  while (true) {
    if (parts_.stopping) co_return out(Ended::kStopped);
    if (live_.run.abort_requested) co_return fail("aborted by " + live_.run.abort_by);
    std::string name = rule.action;
    ActionCall what = call_for(index, "/verify", planned.verify_with);
    const ActionResult answer = co_await call(std::move(name), std::move(what));
    if (parts_.journal.halted()) co_return out(Ended::kHalted);
    const Sample sample = judge_sample(answer);
    const Instant now = clock.now();
    if (sample.verdict != Holds::kYes) holding_since.reset();
    if (sample.verdict == Holds::kYes && !holding_since.has_value()) holding_since = now;
    if (holding_since.has_value() && now - *holding_since >= rule.hold) {
      const bool alive = co_await record(index, StepState::kVerified, rule.action + " holds");
      co_return alive ? Flow::kNext : Flow::kOut;
    }
    if (now >= end) {
      const char* word = sample.verdict == Holds::kNo ? "fails" : "is inconclusive";
      live_.records[index].note = rule.action + " " + word + ": " + sample.reason;
      co_return fail(planned.id + ": not verified: " + live_.records[index].note);
    }
    const base::Duration rest = std::max(base::Duration(1ms), end - now);
    (void)co_await pause(std::min(rule.every, rest));
    if (parts_.journal.halted()) co_return out(Ended::kHalted);
  }
}

awaitable<Ended> Execution::finish(Outcome outcome, std::string message) {
  Run& run = live_.run;
  run.state = RunState::kFinished;
  run.outcome = outcome;
  run.message = std::move(message);
  run.finished = parts_.engine.timers.clock().wall();
  Move move("finished");
  move.text = std::string(to_string(outcome)) + ": " + run.message;
  for (const std::string& lock : live_.held) move.extra.erase(lock_key(lock));
  if (!live_.plan.cooldown.key.empty() && run.started.ns != 0) {
    CooldownRecord cooldown;
    cooldown.level = run.cooldown_level;
    cooldown.finished = run.finished;
    if (outcome == Outcome::kCompleted) cooldown.verified = run.finished;
    cooldown.run = run.id;
    move.extra.put("/cooldowns/" + live_.plan.cooldown.key, to_document(cooldown));
  }
  const Written how = co_await parts_.journal.write(live_, std::move(move));
  const bool alive = written(how);
  if (!alive) co_return ended_;
  live_.held.clear();
  tell(RunEvent::Kind::kFinished, nullptr, std::string(to_string(outcome)) + ": " + run.message);
  co_return Ended::kFinished;
}

awaitable<ActionResult> Execution::call(std::string action, ActionCall what) {
  Action* found = parts_.engine.actions.find(action);
  if (found == nullptr) {
    co_return Error(ErrorCode::kInvalid, "there is no action " + action + " any more");
  }
  const Instant deadline = what.deadline + kGrace;
  std::optional<ActionResult> answer =
      co_await within(found->act(std::move(what)), parts_.engine.timers, deadline);
  if (answer.has_value()) co_return std::move(*answer);
  co_return Error(ErrorCode::kTimeout, action + " did not answer by its deadline");
}

awaitable<ProbeAnswer> Execution::probe(std::string action, ActionCall what) {
  Action* found = parts_.engine.actions.find(action);
  if (found == nullptr) co_return ProbeAnswer();
  what.deadline = parts_.engine.timers.clock().now() + kProbeTime;
  const Instant deadline = what.deadline + kGrace;
  std::optional<ProbeAnswer> answer =
      co_await within(found->probe(std::move(what)), parts_.engine.timers, deadline);
  if (answer.has_value()) co_return std::move(*answer);
  co_return ProbeAnswer();
}

awaitable<bool> Execution::record(size_t index, StepState state, std::string text) {
  StepRecord& now = live_.records[index];
  now.state = state;
  if (state != StepState::kIntent && state != StepState::kActing) {
    now.finished = parts_.engine.timers.clock().wall();
  }
  Move move{std::string(to_string(state))};
  move.step = &now;
  move.index = index;
  move.text = text;
  const Written how = co_await parts_.journal.write(live_, std::move(move));
  const bool alive = written(how);
  if (alive) tell(RunEvent::Kind::kStep, &now, now.id + ": " + text);
  co_return alive;
}

bool Execution::written(Written how) {
  switch (how) {
    case Written::kYes:
      return true;
    case Written::kHalted:
      ended_ = Ended::kHalted;
      break;
    case Written::kRefused:
      ended_ = Ended::kLost;
      break;
    case Written::kNot:
      ended_ = Ended::kSuspended;
      break;
  }
  if (how == Written::kRefused || how == Written::kNot) {
    tell(RunEvent::Kind::kSuspended, nullptr, parts_.journal.trouble());
  }
  return false;
}

awaitable<bool> Execution::pause(base::Duration time) {
  const Instant end = parts_.engine.timers.clock().now() + time;
  while (!interrupted() && parts_.engine.timers.clock().now() < end) {
    const Instant slice = parts_.engine.timers.clock().now() + kWaitSlice;
    co_await parts_.engine.timers.wait_until(std::min(end, slice));
  }
  co_return !interrupted();
}

bool Execution::interrupted() const {
  return parts_.stopping || parts_.journal.halted() || live_.run.abort_requested;
}

json::object Execution::scope() const {
  json::object values = live_.plan.targets;
  json::object steps;
  for (const StepRecord& done : live_.records) steps[done.id] = done.value;
  values["steps"] = std::move(steps);
  json::object run;
  run["id"] = live_.run.id;
  run["incident"] = live_.run.incident;
  run["requester"] = live_.run.requester;
  values["run"] = std::move(run);
  return values;
}

ActionCall Execution::call_for(size_t index, const char* suffix, const json::object& with) const {
  const PlannedStep& planned = live_.plan.steps[index];
  const json::value resolved = substitute(json::value(with), scope());
  return ActionCall(live_.run.id + "/" + planned.id + suffix, live_.run.fence,
                    parts_.engine.timers.clock().now() + planned.step.timeout,
                    resolved.get_object());
}

const std::string& Execution::probe_of(size_t index) const {
  const Step& step = live_.plan.steps[index].step;
  return step.probe.empty() ? step.action : step.probe;
}

std::vector<GuardAnswer> Execution::ask_guards(size_t index) const {
  const PlannedStep& planned = live_.plan.steps[index];
  const GuardContext context{live_.plan,
                             parts_.engine.facts,
                             *parts_.policy,
                             parts_.engine.timers.clock().now(),
                             parts_.budget(live_.run),
                             live_.run.confidence};
  return answer(planned.step.guards.value_or(live_.plan.runbook.guards), context);
}

// Why the step's guards forbid it now; empty: they do not, or it needs none. The runbook's guard what
// disrupts; a step's own are asked whatever it does.
std::string Execution::guards_refusal(size_t index) const {
  const PlannedStep& planned = live_.plan.steps[index];
  if (planned.cls < Class::kDisruptive && !planned.step.guards.has_value()) return {};
  const std::vector<GuardAnswer> answers = ask_guards(index);
  const GuardAnswer* refusal = first_refusal(answers);
  if (refusal == nullptr) return {};
  return "the guard \"" + refusal->guard + "\" says " + std::string(to_string(refusal->answer)) +
         ": " + refusal->reason;
}

Execution::Flow Execution::fail(std::string reason) {
  reason_ = std::move(reason);
  return Flow::kFailed;
}

Execution::Flow Execution::out(Ended how) {
  ended_ = how;
  return Flow::kOut;
}

void Execution::tell(RunEvent::Kind kind, const StepRecord* step, std::string text) const {
  RunEvent event;
  event.kind = kind;
  event.run = &live_.run;
  event.step = step;
  event.at = live_.run.updated;
  event.text = std::move(text);
  parts_.engine.listener.on_run(event);
}

}  // namespace agent::runbook
