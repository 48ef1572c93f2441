#include <CLI/CLI.hpp>
#include <memory>

#include "cli/output/format.h"
#include "cli/verbs/requests.h"
#include "cli/verbs/run_views.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr base::Duration kFollowFor = 10min;

std::string runbook_path(const std::string& name) {
  return "/api/v1/runbooks/" + url_encoded(name);
}
std::string run_path(const std::string& id) {
  return "/api/v1/runs/" + url_encoded(id);
}

template <std::string (*view_of)(const json::object&, const View&)>
std::string as_view(const json::value& value, const View& view) {
  return value.is_object() ? view_of(value.get_object(), view) : std::string();
}

// The end of a run, as an exit status.
int status_of_run(const json::object& run) {
  return text_of(run, "outcome") == "completed" ? kDone : kFailed;
}

bool is_over(const json::object& run) {
  return text_of(run, "state") == "finished";
}

// Follows the run by the stream of events, which brings every change at once.
int follow_run(const Context& context, const Api& api, const std::string& id) {
  const base::SystemClock clock;
  const base::Instant end = clock.now() + kFollowFor;
  while (clock.now() < end) {
    const auto run = api.get(run_path(id));
    if (!run) return report(run.error());
    if (!run->is_object()) break;
    const json::object& object = run->get_object();
    if (is_over(object) || text_of(object, "state") == "awaiting_approval") {
      print_value(context, *run, as_view<run_view>);
      return is_over(object) ? status_of_run(object) : kDone;
    }
    // One event, then look again; a server that goes away is met again by the GET above.
    (void)api.events("/api/v1/events", [](std::string_view, const std::string&) { return false; });
  }
  return report(
      base::Error(base::ErrorCode::kUnknown, "run " + id + " goes on; see mcguard run show " + id));
}

struct RunRequest {
  std::string runbook;
  std::vector<std::string> params;
  std::string incident, hash;
  bool wait = false;
};

base::Result<Act> act_of(const RunRequest& request, const char* verb) {
  auto params = parse_params(request.params);
  if (!params) return params.error();
  Act what;
  what.path = runbook_path(request.runbook) + "/" + verb;
  what.body["params"] = std::move(*params);
  what.body["who"] = operator_name();
  if (!request.incident.empty()) what.body["incident"] = request.incident;
  if (!request.hash.empty()) what.body["hash"] = request.hash;
  return what;
}

int plan_it(const Context& context, const Act& plan) {
  const auto answer = send(context, plan);
  if (!answer) return report(answer.error());
  return print_value(context, *answer, as_view<plan_view>);
}

int start_it(const Context& context, const Act& what, bool wait) {
  const auto api = connect(context);
  if (!api) return report(api.error());
  const auto answer = api->send(what.method, what.path, what.body);
  if (!answer) return report(answer.error());
  const json::object empty;
  const json::object& object = answer->is_object() ? answer->get_object() : empty;
  const std::string id = text_of(object, "run");
  if (const std::string paused = text_of(object, "paused"); !paused.empty()) {
    std::fprintf(stderr, "note: %s; your run goes all the same\n", paused.c_str());
  }
  if (wait && !id.empty()) return follow_run(context, *api, id);
  return print_value(context, *answer, [&](const json::value&, const View&) {
    return "started run " + id + "; follow it with mcguard run show " + id + "\n";
  });
}

int plan_or_run(const Context& context, const RunRequest& request, bool plan_only) {
  const auto what = act_of(request, plan_only ? "plan" : "run");
  if (!what) return report(what.error());
  return plan_only ? plan_it(context, *what) : start_it(context, *what, request.wait);
}

void add_request_options(CLI::App& verb, RunRequest& request) {
  verb.add_option("runbook", request.runbook, "its name")->required();
  verb.add_option("params", request.params, "name=value for each parameter");
  verb.add_option("--incident", request.incident, "the incident it is for");
}

void add_history(CLI::App& group, Context& context, const std::string& name,
                 const std::string& help, const std::string& example) {
  auto incident = std::make_shared<std::string>();
  CLI::App* verb = add_verb(group, context, name, help, {example}, [&context, incident] {
    const std::string query = incident->empty() ? "" : "?incident=" + url_encoded(*incident);
    return show(context, "/api/v1/runs" + query, [](const json::value& value, const View& view) {
      return runs_view(items_of(value, "runs"), view);
    });
  });
  verb->add_option("--incident", *incident, "only those for this incident");
  add_read_options(*verb, context);
}

void add_decision(CLI::App& group, Context& context, const std::string& noun,
                  const std::string& name, const std::string& help, const std::string& done) {
  auto id = std::make_shared<std::string>();
  CLI::App* verb =
      add_verb(group, context, name, help, {noun + " " + name + " run-20261123-072817-042-flush"},
               [&context, id, name, done] {
                 Act what;
                 what.path = run_path(*id) + "/" + name;
                 what.body["who"] = operator_name();
                 return act(context, what, done + " " + *id);
               });
  verb->add_option("run", *id, "id of the run")->required();
  add_act_options(*verb, context);
}

void add_decisions(CLI::App& group, Context& context, const std::string& noun) {
  add_decision(group, context, noun, "approve", "let a run go on that waits for a person",
               "approved");
  add_decision(group, context, noun, "abort", "end a run; what it did is taken back where possible",
               "aborting");
}

void add_runbook_reads(CLI::App& group, Context& context) {
  CLI::App* list = add_verb(
      group, context, "list", "the runbooks that the agent knows", {"runbook list"}, [&context] {
        return show(context, "/api/v1/runbooks", [](const json::value& value, const View& view) {
          return runbooks_view(items_of(value, "runbooks"), view);
        });
      });
  add_read_options(*list, context);
  auto name = std::make_shared<std::string>();
  CLI::App* one = add_verb(
      group, context, "show", "the text of one runbook", {"runbook show replace-proxy"},
      [&context, name] { return show(context, runbook_path(*name), as_view<runbook_view>); });
  one->add_option("runbook", *name, "its name")->required();
  add_read_options(*one, context);

  add_runbook_file_verbs(group, context);
}

void add_flush_verb(CLI::App& app, Context& context) {
  struct Flush {
    FlushTarget target;
    std::string reason;
    bool no_wait = false;
  };
  auto flush = std::make_shared<Flush>();
  CLI::App* verb = add_verb(
      app, context, "flush", "empty a cache, a backend or a cluster, through the runbook flush",
      {"flush --cache 1 --reason \"wrong prices\"",
       "flush --cluster amber --reason \"schema change\" --dry-run"},
      [&context, flush] {
        const auto target = flush_target(flush->target);
        if (!target) return report(target.error());
        RunRequest request;
        request.runbook = "flush";
        request.wait = !flush->no_wait;
        auto what = act_of(request, context.dry_run ? "plan" : "run");
        if (!what) return report(what.error());
        json::object& params = what->body["params"].as_object();
        params["target"] = *target;
        params["reason"] = flush->reason;
        return context.dry_run ? plan_it(context, *what) : start_it(context, *what, request.wait);
      });
  verb->add_option("--cache", flush->target.cache, "number of a cache");
  verb->add_option("--backend", flush->target.backend, "id of a backend");
  verb->add_option("--cluster", flush->target.cluster, "name of a cluster");
  verb->add_option("--reason", flush->reason, "why, for the customer's flush log")->required();
  verb->add_flag("--no-wait", flush->no_wait, "do not wait for the run to end");
  add_act_options(*verb, context);
}

}  // namespace

void add_runbook_verbs(CLI::App& app, Context& context) {
  CLI::App* runbook = add_noun(app, "runbook", "codified responses, and their runs");
  add_runbook_reads(*runbook, context);

  auto request = std::make_shared<RunRequest>();
  CLI::App* plan = add_verb(*runbook, context, "plan", "what a run would do, and whether it may",
                            {"runbook plan replace-proxy proxy=amber-proxy-1"},
                            [&context, request] { return plan_or_run(context, *request, true); });
  add_request_options(*plan, *request);
  add_read_options(*plan, context);
  CLI::App* run =
      add_verb(*runbook, context, "run", "plan it and run exactly that plan",
               {"runbook run replace-proxy proxy=amber-proxy-1 --wait",
                "runbook run replace-backend backend=amber-backend-2 --dry-run"},
               [&context, request] { return plan_or_run(context, *request, context.dry_run); });
  add_request_options(*run, *request);
  run->add_option("--hash", request->hash, "only if the plan is still the one with this hash");
  run->add_flag("--wait", request->wait, "wait for its end; exit status 1 unless it completed");
  add_act_options(*run, context);
  add_decisions(*runbook, context, "runbook");
  add_history(*runbook, context, "history", "runs, newest first", "runbook history");

  CLI::App* runs = add_noun(app, "run", "runs of runbooks");
  add_history(*runs, context, "list", "runs, newest first",
              "run list --incident inc-20261123-072817-1");
  auto id = std::make_shared<std::string>();
  CLI::App* one = add_verb(*runs, context, "show", "one run, step by step",
                           {"run show run-20261123-072817-042-replace-proxy"}, [&context, id] {
                             return show(context, run_path(*id), as_view<run_view>);
                           });
  one->add_option("run", *id, "its id")->required();
  add_read_options(*one, context);
  add_decisions(*runs, context, "run");

  add_flush_verb(app, context);
}

}  // namespace cli
