#include "cli/verbs/run_views.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "cli/output/format.h"
#include "cli/output/table.h"
#include "cli/output/yaml_text.h"

namespace cli {
namespace {

namespace json = boost::json;

std::string outcome_of(const json::object& run) {
  const std::string outcome = text_of(run, "outcome");
  return outcome == "none" ? "" : outcome;
}

// Steps have times as text in some answers, as nanoseconds in others.
std::string time_of(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  if (!found || found->is_null()) return {};
  if (found->is_string()) return std::string(found->get_string());
  const double ns = found->is_number() ? found->to_number<double>() : 0;
  return ns > 0 ? base::WallTime{static_cast<int64_t>(ns)}.to_rfc3339() : std::string();
}

template <class Each>
void each_object(const json::array& list, Each each) {
  for (const json::value& item : list) {
    if (item.is_object()) each(item.get_object());
  }
}

Style style_of_answer(const std::string& answer) {
  if (answer == "yes" || answer == "true") return Style::kGood;
  if (answer == "no" || answer == "false") return Style::kBad;
  return Style::kWarn;
}

}  // namespace

std::string runbooks_view(const json::array& runbooks, const View& view) {
  if (runbooks.empty()) return "no runbooks\n";
  Table table({"RUNBOOK", "VERSION", "CLASS", "SUMMARY"});
  each_object(runbooks, [&](const json::object& r) {
    table.add({text_of(r, "name"), number_cell(text_of(r, "version")), text_of(r, "class"),
               text_of(r, "summary")});
  });
  return table.render(view.terminal);
}

std::string actions_view(const json::array& actions, const View& view) {
  Table table({"ACTION", "CLASS", "TAKES", "GIVES", "WHAT IT DOES"});
  each_object(actions, [&](const json::object& action) {
    std::string takes, gives;
    each_object(list_of(action, "inputs"), [&takes](const json::object& input) {
      takes += (takes.empty() ? "" : ", ") + text_of(input, "name") +
               (truth_of(input, "required") ? "" : "?");
    });
    for (const json::value& output : list_of(action, "outputs")) {
      if (output.is_string())
        gives += (gives.empty() ? "" : ", ") + std::string(output.get_string());
    }
    table.add({text_of(action, "name"), text_of(action, "class"), takes, gives,
               text_of(action, "summary")});
  });
  return table.render(view.terminal);
}

std::string runbook_view(const json::object& runbook, const View& view) {
  const std::string text = text_of(runbook, "text");
  if (text.empty()) return object_view(runbook, view);
  return "# sha256 " + text_of(runbook, "sha256") + "\n" + text +
         (text.ends_with('\n') ? "" : "\n");
}

std::string plan_view(const json::object& plan, const View& view) {
  std::string out = "plan of " + view.terminal.paint(text_of(plan, "runbook"), Style::kBold) +
                    " version " + text_of(plan, "version") + " (" + text_of(plan, "class") +
                    "), hash " + text_of(plan, "hash") + "\n";
  const json::object& params = object_of(plan, "params");
  if (!params.empty()) out += "\n" + object_view(params, view);
  Table guards({"GUARD", "ANSWER", "WHY"});
  each_object(list_of(plan, "guards"), [&](const json::object& g) {
    const std::string answer = text_of(g, "answer");
    guards.add({text_of(g, "guard"), Cell(answer, style_of_answer(answer)), text_of(g, "reason")});
  });
  if (!guards.empty()) out += "\n" + guards.render(view.terminal);
  Table steps({"STEP", "DOES", "CLASS", "UNDO"});
  each_object(list_of(plan, "steps"), [&](const json::object& s) {
    steps.add({text_of(s, "id"), text_of(s, "do"), text_of(s, "class"), text_of(s, "undo")});
  });
  if (!steps.empty()) out += "\n" + steps.render(view.terminal);
  const json::object& predicted = object_of(plan, "predicted");
  if (!predicted.empty()) out += "\nafter it:\n" + to_yaml_text(predicted);
  const std::string hold = text_of(plan, "hold");
  if (!hold.empty() && hold != "none") {
    out += "\n" +
           view.terminal.paint("would not run now (" + hold + "): " + text_of(plan, "hold_text"),
                               Style::kBad) +
           "\n";
  }
  if (const std::string paused = text_of(plan, "paused"); !paused.empty()) {
    out += "\n" +
           view.terminal.paint("note: " + paused + "; policy would not start it", Style::kWarn) +
           "\n";
  }
  return out;
}

std::string pauses_view(const json::array& pauses, const View& view) {
  if (pauses.empty()) return "no pauses: policy starts what it says\n";
  Table table({"PAUSE", "STATE", "CLUSTER", "RUNBOOK", "FROM", "UNTIL", "OWNER", "REASON"});
  const auto or_all = [](std::string text) { return text.empty() ? std::string("all") : text; };
  each_object(pauses, [&](const json::object& p) {
    const bool in_force = truth_of(p, "in_force");
    table.add({text_of(p, "id"), Cell(in_force ? "in force" : "to come", Style::kWarn),
               or_all(text_of(p, "cluster")), or_all(text_of(p, "runbook")), text_of(p, "from"),
               text_of(p, "until"), text_of(p, "owner"), text_of(p, "reason")});
  });
  return table.render(view.terminal);
}

std::string runs_view(const json::array& runs, const View& view) {
  if (runs.empty()) return "no runs\n";
  Table table({"RUN", "RUNBOOK", "STATE", "OUTCOME", "STEP", "INCIDENT", "STARTED"});
  each_object(runs, [&](const json::object& r) {
    table.add({text_of(r, "id"), text_of(r, "runbook"), state_cell(text_of(r, "state")),
               state_cell(outcome_of(r)), text_of(r, "step"), text_of(r, "incident"),
               format_since(time_of(r, "started_at"), view.now)});
  });
  return table.render(view.terminal);
}

std::string run_view(const json::object& run, const View& view) {
  const std::string state = text_of(run, "state");
  const std::string outcome = outcome_of(run);
  std::string out =
      "run " + view.terminal.paint(text_of(run, "id"), Style::kBold) + "  " +
      text_of(run, "runbook") + "  " + view.terminal.paint(state, style_of_state(state)) +
      (outcome.empty() ? "" : "  " + view.terminal.paint(outcome, style_of_state(outcome))) + "\n";
  for (const char* key : {"message", "incident", "target", "requester", "approved_by"}) {
    const std::string text = text_of(run, key);
    if (!text.empty()) out += std::string(key) + ": " + text + "\n";
  }
  Table steps({"STEP", "DOES", "STATE", "TRIES", "STARTED", "FINISHED", "NOTE"});
  each_object(list_of(run, "steps"), [&](const json::object& s) {
    const std::string started = time_of(s, "started_at");
    const std::string finished = time_of(s, "finished_at");
    steps.add({text_of(s, "id"), text_of(s, "do"), state_cell(text_of(s, "state")),
               number_cell(text_of(s, "attempt")),
               started.empty() ? time_of(s, "started") : started,
               finished.empty() ? time_of(s, "finished") : finished, text_of(s, "note")});
  });
  if (!steps.empty()) out += "\n" + steps.render(view.terminal);
  return out;
}

}  // namespace cli
