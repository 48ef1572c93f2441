// Taking up, after a restart, the runs that the store holds unfinished.
#include <algorithm>
#include <boost/json/parse.hpp>

#include "agent/runbook/digest.h"
#include "agent/runbook/engine_state.h"

namespace agent::runbook {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using boost::asio::awaitable;

namespace {

constexpr std::string_view kRuns = "/runs/";

// "run-…" of "/runs/run-…/steps/001".
std::string_view run_of(std::string_view key) {
  key.remove_prefix(kRuns.size());
  return key.substr(0, key.find('/'));
}

const store::Entry* entry_at(const std::vector<store::Entry>& entries, const std::string& key) {
  const auto at = std::find_if(entries.begin(), entries.end(),
                               [&key](const store::Entry& entry) { return entry.key == key; });
  return at == entries.end() ? nullptr : &*at;
}

Error damaged(const std::string& key, const std::string& what) {
  return Error(ErrorCode::kInvalid, key + " " + what);
}

}  // namespace

awaitable<Result<>> Engine::State::resume() {
  // Before the runs: what is paused is known before anything is asked.
  const Result<> paused = co_await pauses_.load();
  if (!paused.ok() && paused.code() != ErrorCode::kInvalid) co_return paused;
  const Result<std::vector<store::Entry>> listed = co_await parts_.store.list(std::string(kRuns));
  if (!listed.ok()) co_return listed.error();
  std::map<std::string, std::vector<store::Entry>, std::less<>> by_run;
  for (const store::Entry& entry : *listed) by_run[std::string(run_of(entry.key))].push_back(entry);

  std::optional<Error> first;
  if (!paused.ok()) first = paused.error();
  const auto note = [&first](const Error& error) {
    if (!first.has_value()) first = error;
  };
  std::vector<Run> finished;
  for (auto& [id, entries] : by_run) {
    if (find(id) != nullptr) continue;  // in hand, or finished while the store was read
    const store::Entry* document = entry_at(entries, run_key(id));
    if (document == nullptr) continue;  // half-pruned history
    Result<Run> run = run_from_document(document->value);
    if (!run.ok()) {
      note(damaged(document->key, run.error().context));
    } else if (!run->live()) {
      finished.push_back(std::move(*run));
    } else {
      const Result<> taken = co_await take_up(std::move(*run), std::move(entries));
      if (!taken.ok()) note(taken.error());
    }
  }
  for (Run& run : finished) {
    if (find(run.id) == nullptr) finished_.push_back(std::move(run));
  }
  std::sort(finished_.begin(), finished_.end(),
            [](const Run& a, const Run& b) { return a.created > b.created; });
  if (first.has_value()) co_return *first;
  co_return Result<>();
}

awaitable<Result<>> Engine::State::take_up(Run run, std::vector<store::Entry> entries) {
  auto live = std::make_shared<LiveRun>();
  live->run = std::move(run);
  live->modified = entry_at(entries, run_key(live->run.id))->modified;
  live_[live->run.id] = live;
  const Result<> restored = restore(*live, entries);
  const bool waits = live->run.state == RunState::kAwaitingApproval;
  if (waits && restored.ok()) {
    wait_for_approval(std::move(live));
    co_return Result<>();
  }
  const Result<> locked = co_await find_locks(*live);
  if (!locked.ok() && locked.code() != ErrorCode::kConflict) {
    live_.erase(live->run.id);
    co_return locked.error();
  }
  if (restored.ok() && locked.ok()) {
    tell(RunEvent::Kind::kStarted, live->run, live->run.runbook + " taken up after a restart");
    drive(std::move(live));
    co_return Result<>();
  }
  const Error why = restored.ok() ? locked.error() : restored.error();
  co_await end(std::move(live), Outcome::kHandedOver,
               "cannot be taken up after a restart: " + why.context);
  co_return why;
}

// The pinned text, the frozen targets and the steps' records, as they were.
Result<> Engine::State::restore(LiveRun& live, const std::vector<store::Entry>& entries) const {
  const std::string& id = live.run.id;
  const store::Entry* stored = entry_at(entries, plan_key(id));
  if (stored == nullptr) return damaged(plan_key(id), "is missing");
  boost::system::error_code failed;
  const json::value value = json::parse(stored->value, failed);
  const json::object* plan = failed ? nullptr : value.if_object();
  const auto part = [plan](std::string_view key) {
    return plan == nullptr ? nullptr : plan->if_contains(key);
  };
  const json::value* text = part("text");
  const json::value* params = part("params");
  const json::value* targets = part("targets");
  const json::value* hash = part("hash");
  if (text == nullptr || !text->is_string() || params == nullptr || !params->is_object() ||
      targets == nullptr || !targets->is_object() || hash == nullptr || !hash->is_string()) {
    return damaged(stored->key, "is not a plan");
  }
  const SourceText source(live.run.runbook + ".yaml (pinned)", std::string(text->get_string()));
  if (sha256_hex(source.text) != live.run.sha256) {
    return damaged(stored->key, "does not have the text that the run was started with");
  }
  base::config::Problems problems;
  const std::optional<Runbook> book = parse_runbook(source, problems);
  if (!book.has_value()) return damaged(stored->key, problems.to_string());
  Result<Plan> remade =
      remake_plan(*book, params->get_object(), targets->get_object(), *policy_, parts_.actions);
  if (!remade.ok()) return remade.error();
  live.plan = std::move(*remade);
  if (live.plan.hash() != std::string_view(hash->get_string())) {
    return damaged(stored->key, "is another plan than the one that was started");
  }
  for (size_t i = 0; i < live.plan.steps.size(); ++i) {
    const store::Entry* step = entry_at(entries, step_key(id, i));
    if (step == nullptr) return damaged(step_key(id, i), "is missing");
    Result<StepRecord> record = step_from_document(step->value);
    if (!record.ok()) return damaged(step->key, record.error().context);
    live.records.push_back(std::move(*record));
  }
  return {};
}

// kConflict: a lock is gone or somebody else's.
awaitable<Result<>> Engine::State::find_locks(LiveRun& live) {
  std::vector<std::string> held;
  for (const std::string& lock : live.plan.locks) {
    std::string key = lock_key(lock);
    const Result<std::optional<store::Entry>> entry = co_await parts_.store.get(std::move(key));
    if (!entry.ok()) co_return entry.error();
    boost::system::error_code failed;
    const json::value value =
        entry->has_value() ? json::parse((*entry)->value, failed) : json::value();
    const json::object* holder = failed ? nullptr : value.if_object();
    const json::value* run = holder == nullptr ? nullptr : holder->if_contains("run");
    if (run == nullptr || *run != json::value(live.run.id)) {
      co_return Error(ErrorCode::kConflict, "the lock " + lock + " is no longer held by this run");
    }
    live.run.fence = (*entry)->created;
    held.push_back(lock);
  }
  live.held = std::move(held);
  co_return Result<>();
}

}  // namespace agent::runbook
