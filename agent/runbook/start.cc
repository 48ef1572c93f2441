// Planning and starting runs: everything between a wish and the first transaction.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "agent/runbook/engine_state.h"
#include "agent/runbook/reference.h"

namespace agent::runbook {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using base::WallTime;
using boost::asio::awaitable;
using namespace std::chrono_literals;

namespace {

// After a run has completed, its incident gets this long to show the effect before the next.
constexpr base::Duration kSettle = 5s;

json::object parse_lock(const std::string& text) {
  boost::system::error_code failed;
  json::value value = json::parse(text, failed);
  return !failed && value.is_object() ? std::move(value.get_object()) : json::object();
}

std::string field(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  const bool text = value != nullptr && value->is_string();
  return text ? std::string(value->get_string()) : std::string("somebody");
}

}  // namespace

awaitable<Result<Plan>> Engine::State::plan(const Runbook& book, json::object params,
                                            RunRequest request) {
  Result<Plan> made = make_plan(book, params, parts_.facts, *policy_, parts_.actions);
  if (!made.ok()) co_return made.error();
  Plan plan = std::move(*made);
  const Result<> judged = co_await judge(plan, std::move(request));
  if (!judged.ok()) co_return judged.error();
  co_return plan;
}

// Fills in the answers and the first reason, if any, why it would not run now.
awaitable<Result<>> Engine::State::judge(Plan& plan, RunRequest request) {
  plan.hold = Hold::kNone;
  plan.hold_text.clear();
  plan.retry_at = WallTime{};
  const GuardContext asked = context(plan, request.confidence);
  plan.guards = answer(plan.runbook.guards, asked);
  plan.predicted = predict(asked);
  const Result<std::string> holder = co_await lock_holder(plan);
  if (!holder.ok()) co_return holder.error();
  if (!holder->empty()) {
    plan.hold = Hold::kLockHeld;
    plan.hold_text = *holder;
    co_return Result<>();
  }
  const Result<CooldownAnswer> cooling = co_await ask_cooldown(plan, std::move(request));
  if (!cooling.ok()) co_return cooling.error();
  if (cooling->hold != Hold::kNone) {
    plan.hold = cooling->hold;
    plan.hold_text = cooling->text;
    plan.retry_at = cooling->until;
    co_return Result<>();
  }
  if (const GuardAnswer* refusal = first_refusal(plan.guards)) {
    plan.hold = Hold::kGuard;
    plan.hold_text = "the guard \"" + refusal->guard + "\" says " +
                     std::string(to_string(refusal->answer)) + ": " + refusal->reason;
  }
  co_return Result<>();
}

awaitable<Result<CooldownAnswer>> Engine::State::ask_cooldown(const Plan& plan,
                                                              RunRequest request) {
  if (plan.cooldown.key.empty()) co_return CooldownAnswer();
  std::string key = "/cooldowns/" + plan.cooldown.key;
  const Result<std::optional<store::Entry>> entry = co_await parts_.store.get(std::move(key));
  if (!entry.ok()) co_return entry.error();
  if (!entry->has_value()) co_return CooldownAnswer();
  const Result<CooldownRecord> record = cooldown_from_document((*entry)->value);
  if (!record.ok()) co_return Error(record.code(), (*entry)->key + " " + record.error().context);
  co_return ask(plan.cooldown, *record, request.symptom_since, policy_->symptom_return,
                parts_.timers.clock().wall());
}

// A sentence about the first lock that is held; empty: all are free.
awaitable<Result<std::string>> Engine::State::lock_holder(const Plan& plan) {
  for (const std::string& lock : plan.locks) {
    std::string key = lock_key(lock);
    const Result<std::optional<store::Entry>> entry = co_await parts_.store.get(std::move(key));
    if (!entry.ok()) co_return entry.error();
    if (!entry->has_value()) continue;
    const json::object held = parse_lock((*entry)->value);
    co_return "the lock " + lock + " is held by " + field(held, "run") + " (" +
        field(held, "runbook") + ", for " + field(held, "requester") + ", since " +
        field(held, "since") + "); wait for it, or abort it";
  }
  co_return std::string();
}

Result<> Engine::State::refuse(const Plan& plan, const RunRequest& request) const {
  if (stopping_) return Error(ErrorCode::kUnavailable, "the engine is stopping");
  if (request.requester == kPolicy) {
    const std::optional<Pause> paused = pauses_.holding(plan.runbook, plan.cluster);
    if (paused.has_value()) return Error(ErrorCode::kRefused, words_of(*paused));
  }
  if (plan.hold == Hold::kNone) return {};
  if (plan.hold == Hold::kLockHeld) return Error(ErrorCode::kConflict, plan.hold_text);
  return Error(ErrorCode::kRefused, plan.hold_text);
}

Engine::State::Awaitable Engine::State::start(Plan plan, RunRequest request) {
  RunRequest asked = request;
  Result<> judged = co_await judge(plan, std::move(asked));
  if (!judged.ok()) co_return judged.error();
  if (request.mode == Mode::kShadow || request.mode == Mode::kSuggest) {
    const Outcome outcome =
        request.mode == Mode::kShadow ? Outcome::kShadowed : Outcome::kSuggested;
    co_return co_await record_only(make_run(std::move(plan), request), outcome);
  }
  asked = request;
  const Result<CooldownAnswer> cooling = co_await ask_cooldown(plan, std::move(asked));
  if (!cooling.ok()) co_return cooling.error();
  if (Result<> allowed = refuse(plan, request); !allowed.ok()) co_return allowed.error();

  const PreApproval* pre = policy_->preapproval(plan.runbook.name, plan.cluster);
  const bool wants =
      needs_approval(plan.runbook.approve, context(plan, request.confidence)) != Truth::kNo;
  std::shared_ptr<LiveRun> live = make_run(std::move(plan), request);
  live->run.cooldown_level = cooling->level;
  if (pre != nullptr) live->run.approved_by = pre->by + " (beforehand, " + pre->at + ")";
  if ((wants || request.mode == Mode::kApprove) && pre == nullptr) {
    live->run.state = RunState::kAwaitingApproval;
    live->run.message = "waiting for a person to approve it";
  }
  co_return co_await begin(std::move(live));
}

std::string Engine::State::new_id(const std::string& runbook) const {
  // 2026-11-23T07:28:17.042Z → 20261123-072817-042
  const std::string at = parts_.timers.clock().wall().to_rfc3339();
  const std::string stem = "run-" + at.substr(0, 4) + at.substr(5, 2) + at.substr(8, 2) + "-" +
                           at.substr(11, 2) + at.substr(14, 2) + at.substr(17, 2) + "-" +
                           at.substr(20, 3) + "-" + runbook;
  std::string id = stem;
  for (int n = 2; find(id) != nullptr; ++n) id = stem + "-" + std::to_string(n);
  return id;
}

std::shared_ptr<LiveRun> Engine::State::make_run(Plan plan, const RunRequest& request) {
  auto live = std::make_shared<LiveRun>();
  Run& run = live->run;
  run.id = new_id(plan.runbook.name);
  run.runbook = plan.runbook.name;
  run.version = plan.runbook.version;
  run.sha256 = plan.runbook.sha256;
  run.incident = request.incident;
  run.requester = request.requester;
  run.mode = request.mode;
  run.confidence = request.confidence;
  run.cluster = plan.cluster;
  run.target = plan.target;
  run.disruptive = plan.runbook.cls >= Class::kDisruptive;
  run.steps = plan.steps.size();
  run.created = parts_.timers.clock().wall();
  for (const PlannedStep& planned : plan.steps) {
    StepRecord record;
    record.id = planned.id;
    record.action = planned.step.action;
    live->records.push_back(std::move(record));
  }
  if (!live->records.empty()) run.step = live->records.front().id;
  live->plan = std::move(plan);
  return live;
}

void Engine::State::add_locks(const LiveRun& live, store::Transaction& transaction) const {
  json::object held;
  held["run"] = live.run.id;
  held["runbook"] = live.run.runbook;
  held["requester"] = live.run.requester;
  held["since"] = parts_.timers.clock().wall().to_rfc3339();
  for (const std::string& lock : live.plan.locks) {
    transaction.expect(lock_key(lock), 0).put(lock_key(lock), json::serialize(held));
  }
}

// The first transaction: the run, its plan with the pinned text, its steps, and its locks unless it
// waits for a person first.
Engine::State::Awaitable Engine::State::begin(std::shared_ptr<LiveRun> live) {
  Run& run = live->run;
  const bool waits = run.state == RunState::kAwaitingApproval;
  Move move(waits ? "awaiting_approval" : "started");
  move.text = "for " + run.requester;
  json::object planned = live->plan.to_json();
  planned["text"] = live->plan.runbook.text;
  planned["file"] = live->plan.runbook.place.file;
  move.extra.put(plan_key(run.id), json::serialize(planned));
  for (size_t i = 0; i < live->records.size(); ++i) {
    move.extra.put(step_key(run.id, i), json::serialize(to_document(live->records[i])));
  }
  if (!waits) {
    run.started = run.created;
    add_locks(*live, move.extra);
  }
  live_[run.id] = live;  // before the wait, so that nobody takes its id
  const Written how = co_await journal_.write(*live, std::move(move));
  if (how != Written::kYes) co_return co_await not_begun(std::move(live), how);
  const std::string id = run.id;
  if (waits) {
    tell(RunEvent::Kind::kAwaitingApproval, run, run.message);
    wait_for_approval(std::move(live));
  } else {
    run.fence = live->modified;
    live->held = live->plan.locks;
    tell(RunEvent::Kind::kStarted, run, run.runbook + " started for " + run.requester);
    drive(std::move(live));
  }
  co_return id;
}

// A start that the store did not confirm. After an answer "unknown" that could not be read back the
// run may be there all the same, with its locks (the journal's next try then met its first): it is
// told as one that stands still, so that whoever hears it calls resume().
awaitable<Error> Engine::State::not_begun(std::shared_ptr<LiveRun> live, Written how) {
  const std::string id = live->run.id;
  bool perhaps = false;
  if (how != Written::kHalted) {
    std::string key = run_key(id);
    const Result<std::optional<store::Entry>> entry = co_await parts_.store.get(std::move(key));
    perhaps = !entry.ok() || entry->has_value();
  }
  live_.erase(id);  // resume() goes by what the store has
  if (!perhaps) co_return co_await explain(how, live->plan);
  tell(RunEvent::Kind::kSuspended, live->run, "the store did not say whether it took the start");
  co_return Error(ErrorCode::kUnknown, "the store did not say whether it took the start of " + id +
                                           "; if it did, the run goes on by itself");
}

// shadow and suggest: what would have been done, kept and not done.
Engine::State::Awaitable Engine::State::record_only(std::shared_ptr<LiveRun> live,
                                                    Outcome outcome) {
  Run& run = live->run;
  run.state = RunState::kFinished;
  run.outcome = outcome;
  run.finished = run.created;
  run.disruptive = false;
  run.message = live->plan.hold == Hold::kNone ? "would run now" : live->plan.hold_text;
  Move move{std::string(to_string(outcome))};
  move.text = run.message;
  json::object planned = live->plan.to_json();
  planned["text"] = live->plan.runbook.text;
  move.extra.put(plan_key(run.id), json::serialize(planned));
  const Written how = co_await journal_.write(*live, std::move(move));
  if (how != Written::kYes) co_return co_await explain(how, live->plan);
  tell(RunEvent::Kind::kFinished, run, std::string(to_string(outcome)) + ": " + run.message);
  const std::string id = run.id;
  co_await retire(std::move(live));
  co_return id;
}

awaitable<Error> Engine::State::explain(Written how, Plan plan) {
  if (how == Written::kRefused) {
    const Result<std::string> holder = co_await lock_holder(plan);
    if (holder.ok() && !holder->empty()) co_return Error(ErrorCode::kConflict, *holder);
    co_return Error(ErrorCode::kConflict, "somebody else changed the run or its locks; try again");
  }
  if (how == Written::kHalted) co_return Error(ErrorCode::kUnavailable, "the engine is stopping");
  co_return Error(ErrorCode::kUnavailable,
                  "the run could not be journaled, so nothing was done: " + journal_.trouble());
}

awaitable<Result<>> Engine::State::approve(std::string id, std::string who) {
  const auto at = live_.find(id);
  if (at == live_.end()) co_return Error(ErrorCode::kNotFound, "no unfinished run " + id);
  std::shared_ptr<LiveRun> live = at->second;
  Run& run = live->run;
  if (run.state != RunState::kAwaitingApproval || live->driven) {
    co_return Error(ErrorCode::kConflict, id + " does not wait for an approval; it is " +
                                              std::string(to_string(run.state)));
  }
  live->driven = true;  // nobody approves twice while this waits for the store
  const Run before = run;
  Move move("approved");
  move.text = "by " + who;
  add_locks(*live, move.extra);
  run.state = RunState::kRunning;
  run.approved_by = who;
  run.message.clear();
  run.started = parts_.timers.clock().wall();
  const Written how = co_await journal_.write(*live, std::move(move));
  if (how != Written::kYes) {
    run = before;
    live->driven = false;
    co_return co_await explain(how, live->plan);
  }
  run.fence = live->modified;
  live->held = live->plan.locks;
  live->driven = false;
  tell(RunEvent::Kind::kApproved, run, "approved by " + who);
  drive(std::move(live));
  co_return Result<>();
}

awaitable<Result<>> Engine::State::abort(std::string id, std::string who) {
  const auto at = live_.find(id);
  if (at == live_.end()) co_return Error(ErrorCode::kNotFound, "no unfinished run " + id);
  std::shared_ptr<LiveRun> live = at->second;
  if (live->run.state == RunState::kAwaitingApproval && !live->driven) {
    co_await end(std::move(live), Outcome::kAborted, "aborted by " + who);
    co_return Result<>();
  }
  // Its coroutine notices before the next step and makes it durable with what it does then.
  live->run.abort_requested = true;
  live->run.abort_by = who;
  co_return Result<>();
}

awaitable<Result<Pause>> Engine::State::pause(PauseWish wish) {
  if (!wish.runbook.empty() && library_->find(wish.runbook) == nullptr) {
    co_return Error(ErrorCode::kNotFound,
                    "no runbook " + wish.runbook + "; see mcguard runbook list");
  }
  if (!wish.cluster.empty()) {
    const Result<ClusterFacts> cluster = parts_.facts.cluster(wish.cluster);
    if (!cluster.ok()) co_return cluster.error();
  }
  co_return co_await pauses_.add(std::move(wish));
}

// Reasons to do nothing yet that lie in the incident and its earlier runs.
std::optional<ResponseReport> Engine::State::wait_before(const incident::Incident& incident,
                                                         const Response& response,
                                                         RunRequest& request) const {
  ResponseReport report;
  const WallTime now = parts_.timers.clock().wall();
  if (incident.state != incident::State::kOpen && incident.state != incident::State::kMitigating) {
    report.hold = Hold::kHoldDown;
    report.text = "the incident is " + std::string(incident::to_string(incident.state));
    return report;
  }
  if (now < incident.started + response.hold_down) {
    report.hold = Hold::kHoldDown;
    report.text = "waiting whether it lasts";
    report.retry_at = incident.started + response.hold_down;
    return report;
  }
  for (const auto& [id, live] : live_) {
    if (live->run.incident != incident.id) continue;
    report.hold = Hold::kLockHeld;
    report.text = id + " is at it";
    return report;
  }
  request.symptom_since = incident.started;
  for (const Run& run : finished_) {
    if (run.incident != incident.id || run.runbook != response.runbook) continue;
    const Runbook* book = library_->find(run.runbook);
    const bool observes = book != nullptr && book->cls == Class::kObserve;
    if (run.outcome != Outcome::kCompleted || observes) {
      report.hold = Hold::kHandedOver;
      report.text = run.id + " ended " + std::string(to_string(run.outcome)) +
                    "; the rest is a person's decision";
      return report;
    }
    if (now < run.finished + kSettle) {
      report.hold = Hold::kHoldDown;
      report.text = "waiting for the effect of " + run.id;
      report.retry_at = run.finished + kSettle;
      return report;
    }
    request.symptom_since = std::max(request.symptom_since, run.finished);
    break;
  }
  return std::nullopt;
}

awaitable<ResponseReport> Engine::State::respond(incident::Incident incident) {
  ResponseReport report;
  const auto found = policy_->responses.find(incident.type);
  if (found == policy_->responses.end()) {
    report.hold = Hold::kMode;
    report.text =
        "the policy has no response to " + std::string(incident::to_string(incident.type));
    co_return report;
  }
  Response response = found->second;
  const ParamType kind = incident.scope.backend.empty() ? ParamType::kProxy : ParamType::kBackend;
  json::object params;
  const Correlation together = correlation(kind, incident.scope.cluster, parts_.facts, *policy_,
                                           parts_.timers.clock().now());
  const bool cluster_level = together.correlated && !response.when_correlated.empty();
  if (cluster_level) {
    response.runbook = response.when_correlated;
    params["cluster"] = incident.scope.cluster;
  } else {
    json::object about, scope;
    about["id"] = incident.id;
    about["type"] = incident::to_string(incident.type);
    about["title"] = incident.title;
    scope["cluster"] = incident.scope.cluster;
    scope["proxy"] = incident.scope.proxy;
    scope["backend"] = incident.scope.backend;
    scope["client"] = incident.scope.client;
    json::object values;
    values["incident"] = std::move(about);
    values["scope"] = std::move(scope);
    for (const auto& [name, text] : response.params) params[name] = substitute(text, values);
  }
  const Mode mode = policy_->mode(response, incident.scope.cluster, parts_.timers.clock().wall());
  RunRequest request(incident.id, std::string(kPolicy), mode);
  request.confidence = incident.confidence;
  if (auto wait = wait_before(incident, response, request)) co_return std::move(*wait);
  const std::shared_ptr<const Library> library = library_;  // a reload must not take the text away
  const Runbook* book = library->find(response.runbook);
  if (book == nullptr) {
    report.hold = Hold::kGuard;
    report.text = "there is no runbook " + response.runbook;
    co_return report;
  }
  const bool acts = mode == Mode::kApprove || mode == Mode::kAuto;
  if (const auto paused = pauses_.holding(*book, incident.scope.cluster); acts && paused) {
    report.hold = Hold::kPaused;
    report.text = words_of(*paused);
    report.retry_at = parts_.timers.clock().wall() + pauses_.left(*paused);
    co_return report;
  }
  RunRequest asked = request;
  Result<Plan> planned = co_await plan(*book, std::move(params), std::move(asked));
  if (!planned.ok()) {
    report.hold = Hold::kGuard;
    report.text = planned.error().to_string();
    if (cluster_level) {
      report.text = together.reason + ": nothing is replaced one by one, and " + response.runbook +
                    ", which takes over, does nothing (" + planned.error().context + ")";
    }
    co_return report;
  }
  if (acts && planned->hold != Hold::kNone) {
    report.hold = planned->hold;
    report.text = planned->hold_text;
    report.retry_at = planned->retry_at;
    co_return report;
  }
  const Result<std::string> started = co_await start(std::move(*planned), std::move(request));
  if (started.ok()) {
    report.run = *started;
    report.text = response.runbook + " as " + *started;
  } else {
    const bool paused = pauses_.holding(*book, incident.scope.cluster).has_value();
    report.hold = started.code() == ErrorCode::kConflict ? Hold::kLockHeld
                  : paused                               ? Hold::kPaused
                                                         : Hold::kGuard;
    report.text = started.error().to_string();
  }
  co_return report;
}

}  // namespace agent::runbook
