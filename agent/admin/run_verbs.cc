#include "agent/admin/arguments.h"
#include "agent/admin/operator.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

constexpr size_t kListedRuns = 100;

// A person's own act: not tied to policy's mode, since a person has decided.
runbook::RunRequest request_of(const json::object& args) {
  return runbook::RunRequest(text_argument(args, "incident").value_or(""),
                             "operator:" + text_argument(args, "who").value_or("cli"),
                             runbook::Mode::kAuto);
}

}  // namespace

Operator::Answer Operator::list_runbooks(json::object) {
  json::value answer = json::object{{"runbooks", parts_.engine.list_runbooks()}};
  co_return answer;
}

Operator::Answer Operator::show_runbook(json::object args) {
  auto name = required_text(args, "name");
  if (!name) co_return name.error();
  auto shown = parts_.engine.show_runbook(*name);
  if (!shown) co_return shown.error();
  json::value answer = *std::move(shown);
  co_return answer;
}

// A run for an incident that nobody knows would be told to nobody.
base::Result<> Operator::check_incident(const json::object& args) const {
  const std::string id = text_argument(args, "incident").value_or("");
  if (id.empty() || parts_.book.find(id) != nullptr) return base::Done{};
  return base::Error(base::ErrorCode::kNotFound,
                     "no incident '" + id + "'; see `mcguard incident list`");
}

Operator::Answer Operator::plan_runbook(json::object args) {
  auto name = required_text(args, "name");
  if (!name) co_return name.error();
  auto params = object_argument(args, "params");
  if (!params) co_return params.error();
  if (auto known = check_incident(args); !known) co_return known.error();
  auto plan = co_await parts_.engine.plan(*name, *std::move(params), request_of(args));
  if (!plan) co_return plan.error();
  json::object answer = plan->to_json();
  // A person decides; that somebody wanted nothing done here is worth knowing before.
  const auto paused = parts_.engine.pauses().holding(plan->runbook, plan->cluster);
  if (paused) answer["paused"] = runbook::words_of(*paused);
  co_return answer;
}

// With `hash` (of a plan that was shown): only if the plan is still the same.
Operator::Answer Operator::run_runbook(json::object args) {
  auto name = required_text(args, "name");
  if (!name) co_return name.error();
  auto params = object_argument(args, "params");
  if (!params) co_return params.error();
  if (auto known = check_incident(args); !known) co_return known.error();
  const runbook::RunRequest request = request_of(args);
  auto plan = co_await parts_.engine.plan(*name, *std::move(params), request);
  if (!plan) co_return plan.error();
  const auto hash = text_argument(args, "hash");
  if (hash && *hash != plan->hash()) {
    co_return base::Error(base::ErrorCode::kConflict,
                          "the plan has changed since it was shown; look at it again with "
                          "`mcguard runbook plan`");
  }
  const auto paused = parts_.engine.pauses().holding(plan->runbook, plan->cluster);
  auto run = co_await parts_.engine.run(*std::move(plan), request);
  if (!run) co_return run.error();
  ++changes_;
  json::object answer{{"run", *run}};
  if (paused) answer["paused"] = runbook::words_of(*paused);
  co_return answer;
}

Operator::Answer Operator::list_runs(json::object args) {
  const std::string incident = text_argument(args, "incident").value_or("");
  json::value answer = json::object{{"runs", parts_.engine.list(incident, kListedRuns)}};
  co_return answer;
}

Operator::Answer Operator::show_run(json::object args) {
  auto id = required_text(args, "id");
  if (!id) co_return id.error();
  auto shown = co_await parts_.engine.show(*id);
  if (!shown) co_return shown.error();
  json::value answer = *std::move(shown);
  co_return answer;
}

Operator::Answer Operator::approve_run(json::object args) {
  auto id = required_text(args, "id");
  if (!id) co_return id.error();
  auto done = co_await parts_.engine.approve(*id, text_argument(args, "who").value_or("cli"));
  if (!done) co_return done.error();
  ++changes_;
  co_return co_await show_run(std::move(args));
}

Operator::Answer Operator::abort_run(json::object args) {
  auto id = required_text(args, "id");
  if (!id) co_return id.error();
  auto done = co_await parts_.engine.abort(*id, text_argument(args, "who").value_or("cli"));
  if (!done) co_return done.error();
  ++changes_;
  co_return co_await show_run(std::move(args));
}

}  // namespace agent::admin
