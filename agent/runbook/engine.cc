#include "agent/runbook/engine.h"

#include <algorithm>
#include <boost/json/parse.hpp>

#include "agent/runbook/engine_state.h"

namespace agent::runbook {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using boost::asio::awaitable;
using namespace std::chrono_literals;

namespace {

constexpr size_t kHistory = 200;  // finished runs kept
constexpr base::Duration kSlice = 200ms;

Error no_run(std::string_view id) {
  return Error(ErrorCode::kNotFound, "no run " + std::string(id) + "; see mcguard runbook history");
}

}  // namespace

// --- What moves runs on ---------------------------------------------------------------------------

ExecutionParts Engine::State::execution_parts() {
  const auto used = [this](const Run& run) { return budget(run.cluster, run.id); };
  return ExecutionParts{parts_, journal_, policy_, used, stopping_};
}

void Engine::State::drive(std::shared_ptr<LiveRun> live) {
  live->driven = true;
  base::spawn(parts_.executor, gate_, "runbook run", drive_to_end(std::move(live)));
}

awaitable<void> Engine::State::drive_to_end(std::shared_ptr<LiveRun> live) {
  Execution execution(execution_parts(), *live);
  const Ended ended = co_await execution.drive();
  live->driven = false;
  if (ended == Ended::kFinished) {
    co_await retire(std::move(live));
  } else {
    live_.erase(live->run.id);  // its record is in the store, for resume()
  }
}

awaitable<void> Engine::State::end(std::shared_ptr<LiveRun> live, Outcome outcome,
                                   std::string why) {
  live->driven = true;
  Execution execution(execution_parts(), *live);
  const Ended ended = co_await execution.finish(outcome, std::move(why));
  live->driven = false;
  if (ended == Ended::kFinished) {
    co_await retire(std::move(live));
  } else {
    live_.erase(live->run.id);
  }
}

void Engine::State::wait_for_approval(std::shared_ptr<LiveRun> live) {
  base::spawn(parts_.executor, gate_, "runbook approval", approval_timeout(std::move(live)));
}

awaitable<void> Engine::State::approval_timeout(std::shared_ptr<LiveRun> live) {
  const Approval& rule = live->plan.runbook.approve;
  const base::WallTime end_at = live->run.created + rule.timeout;
  const auto waiting = [&] { return live->run.state == RunState::kAwaitingApproval; };
  while (waiting() && parts_.timers.clock().wall() < end_at) {
    co_await parts_.timers.wait_for(kSlice);
    if (stopping_ || journal_.halted()) co_return;
  }
  if (!waiting() || live->driven) co_return;
  const bool hand_over = rule.on_timeout == OnTimeout::kHandOver;
  const Outcome outcome = hand_over ? Outcome::kHandedOver : Outcome::kAborted;
  co_await end(std::move(live), outcome, "nobody approved it in time; nothing was changed");
}

// From live to history, and the oldest of history out of the store.
awaitable<void> Engine::State::retire(std::shared_ptr<LiveRun> live) {
  live_.erase(live->run.id);
  finished_.push_front(live->run);
  while (finished_.size() > kHistory) {
    const Run oldest = finished_.back();
    finished_.pop_back();
    store::Transaction transaction;
    transaction.erase(run_key(oldest.id)).erase(plan_key(oldest.id));
    for (size_t i = 0; i < oldest.steps; ++i) transaction.erase(step_key(oldest.id, i));
    for (uint64_t i = 1; i <= oldest.audit_count; ++i) transaction.erase(audit_key(oldest.id, i));
    // A failure leaves some history too long; the next start lists it again.
    (void)co_await parts_.store.commit(std::move(transaction));
  }
}

BudgetUse Engine::State::budget(const std::string& cluster, std::string_view except) const {
  BudgetUse used;
  const base::WallTime since =
      parts_.timers.clock().wall() + base::Duration(-policy_->budget.window.count());
  const auto count = [&](const Run& run) {
    if (!run.disruptive || run.started.ns == 0 || run.started < since || run.id == except) return;
    ++used.fleet;
    if (run.cluster == cluster) ++used.cluster;
  };
  for (const auto& [id, live] : live_) count(live->run);
  for (const Run& run : finished_) count(run);
  return used;
}

GuardContext Engine::State::context(const Plan& plan, double confidence) const {
  return GuardContext{
      plan,      parts_.facts, *policy_, parts_.timers.clock().now(), budget(plan.cluster, {}),
      confidence};
}

void Engine::State::tell(RunEvent::Kind kind, const Run& run, std::string text) const {
  RunEvent event;
  event.kind = kind;
  event.run = &run;
  event.at = parts_.timers.clock().wall();
  event.text = std::move(text);
  parts_.listener.on_run(event);
}

// --- Books ----------------------------------------------------------------------------------------

Result<> Engine::State::load(const std::vector<SourceText>& runbooks, const SourceText& policy) {
  Result<Library> library = Library::build(runbooks, parts_.actions);
  if (!library.ok()) return library.error();
  auto new_library = std::make_shared<const Library>(std::move(*library));
  Result<Policy> read = parse_policy(policy, *new_library);
  if (!read.ok()) return read.error();
  library_ = std::move(new_library);
  policy_ = std::make_shared<const Policy>(std::move(*read));
  return {};
}

const Run* Engine::State::find(std::string_view id) const {
  if (const auto at = live_.find(id); at != live_.end()) return &at->second->run;
  const auto at =
      std::find_if(finished_.begin(), finished_.end(), [id](const Run& r) { return r.id == id; });
  return at == finished_.end() ? nullptr : &*at;
}

std::vector<Run> Engine::State::runs(std::string_view incident, size_t limit) const {
  std::vector<Run> found;
  for (const auto& [id, live] : live_) {
    if (incident.empty() || live->run.incident == incident) found.push_back(live->run);
  }
  size_t old = 0;
  for (const Run& run : finished_) {
    if (!incident.empty() && run.incident != incident) continue;
    if (old++ == limit) break;
    found.push_back(run);
  }
  std::sort(found.begin(), found.end(),
            [](const Run& a, const Run& b) { return a.created > b.created; });
  return found;
}

// --- The public face ------------------------------------------------------------------------------

Engine::Engine(EngineParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Engine::~Engine() = default;

Result<> Engine::load(const std::vector<SourceText>& runbooks, const SourceText& policy) {
  return state_->load(runbooks, policy);
}
const Library& Engine::library() const {
  return *state_->library_;
}
const Policy& Engine::policy() const {
  return *state_->policy_;
}

awaitable<Result<>> Engine::resume() {
  return state_->resume();
}

awaitable<bool> Engine::stop(base::Instant deadline) {
  state_->stopping_ = true;
  state_->gate_.close();
  co_return co_await state_->gate_.wait_empty(state_->parts_.timers, deadline);
}

awaitable<Result<Plan>> Engine::plan(std::string runbook, json::object params, RunRequest request) {
  const std::shared_ptr<const Library> library = state_->library_;
  const Runbook* book = library->find(runbook);
  if (book == nullptr) {
    co_return Error(ErrorCode::kNotFound, "no runbook " + runbook + "; see mcguard runbook list");
  }
  co_return co_await state_->plan(*book, std::move(params), std::move(request));
}

awaitable<Result<std::string>> Engine::run(Plan plan, RunRequest request) {
  return state_->start(std::move(plan), std::move(request));
}
awaitable<ResponseReport> Engine::respond(incident::Incident incident) {
  return state_->respond(std::move(incident));
}
awaitable<Result<>> Engine::approve(std::string run, std::string who) {
  return state_->approve(std::move(run), std::move(who));
}
awaitable<Result<>> Engine::abort(std::string run, std::string who) {
  return state_->abort(std::move(run), std::move(who));
}

awaitable<Result<>> Engine::load_pauses() {
  return state_->pauses_.load();
}
awaitable<Result<Pause>> Engine::pause(PauseWish wish) {
  return state_->pause(std::move(wish));
}
awaitable<Result<>> Engine::lift(std::string pause) {
  return state_->pauses_.lift(std::move(pause));
}
const Pauses& Engine::pauses() const {
  return state_->pauses_;
}

std::vector<Run> Engine::runs(std::string_view incident, size_t limit) const {
  return state_->runs(incident, limit);
}

json::array Engine::list(std::string_view incident, size_t limit) const {
  json::array shown;
  for (const Run& run : state_->runs(incident, limit)) shown.push_back(run.summary());
  return shown;
}

awaitable<Result<json::object>> Engine::show(std::string run) {
  const Run* known = state_->find(run);
  if (known == nullptr) co_return no_run(run);
  const Run record = *known;
  std::string prefix = run_key(record.id) + "/";
  const Result<std::vector<store::Entry>> entries =
      co_await state_->parts_.store.list(std::move(prefix));
  if (!entries.ok()) co_return entries.error();
  json::object out = record.summary();
  out["step_count"] = record.steps;
  json::array steps;
  for (const store::Entry& entry : *entries) {
    boost::system::error_code failed;
    if (entry.key == plan_key(record.id)) {
      json::value plan = json::parse(entry.value, failed);
      if (!failed) out["plan"] = std::move(plan);
    }
    if (!entry.key.starts_with(run_key(record.id) + "/steps/")) continue;
    const Result<StepRecord> step = step_from_document(entry.value);
    if (!step.ok()) continue;
    json::object shown = to_document(*step);
    shown.erase("started");
    shown.erase("finished");
    shown["started_at"] = step->started.ns == 0 ? "" : step->started.to_rfc3339();
    shown["finished_at"] = step->finished.ns == 0 ? "" : step->finished.to_rfc3339();
    steps.push_back(std::move(shown));
  }
  out["steps"] = std::move(steps);
  Journal::Audit audit = Journal::check(*entries, record);
  out["audit"] = std::move(audit.entries);
  out["audit_intact"] = audit.intact;
  co_return out;
}

json::array Engine::list_runbooks() const {
  json::array shown;
  for (const auto& [name, book] : state_->library_->all()) {
    json::object one = book.to_json();
    one.erase("text");
    shown.push_back(std::move(one));
  }
  return shown;
}

Result<json::object> Engine::show_runbook(std::string_view name) const {
  const Runbook* book = state_->library_->find(name);
  if (book != nullptr) return book->to_json();
  return Error(ErrorCode::kNotFound,
               "no runbook " + std::string(name) + "; see mcguard runbook list");
}

std::map<std::string, std::string> Engine::active() const {
  std::map<std::string, std::string> held;
  for (const auto& [id, live] : state_->live_) {
    for (const std::string& lock : live->held) held[lock] = id;
  }
  return held;
}

}  // namespace agent::runbook
