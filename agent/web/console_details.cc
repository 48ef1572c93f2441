// The console's pages about one incident and one run.
#include <boost/json/serialize.hpp>

#include "agent/publish/civil_time.h"
#include "agent/web/console_page.h"
#include "agent/web/figures.h"

namespace agent::web {

namespace {

namespace json = boost::json;

std::string time_words(const json::value& object, std::string_view key) {
  const base::WallTime at = parse_rfc3339(text_of(object, key));
  return at.ns == 0 ? "–" : publish::date_and_seconds(at);
}

// "07:28:17.042", since the parts of a second matter here.
std::string clock_words(std::string_view rfc3339) {
  return rfc3339.size() == 24 ? std::string(rfc3339.substr(11, 12)) : std::string(rfc3339);
}

// "proxy: amber-proxy-1, cluster: amber"
std::string scope_words(const json::value& scope) {
  std::string out;
  for (const char* kind : {"cluster", "proxy", "backend", "client"}) {
    const std::string name = text_of(scope, kind);
    if (!name.empty()) out += (out.empty() ? "" : ", ") + (std::string(kind) + " " + name);
  }
  return out.empty() ? "several clusters" : out;
}

std::string figure_words(double value, const std::string& unit) {
  if (unit == "seconds" || unit == "s") return latency_words(value);
  if (unit == "ratio" || unit.starts_with("share")) return share_words(value);
  if (unit == "bytes") return bytes_words(value);
  return rate_words(value);
}

void fill_timeline(const json::value& incident, TemplateDictionary& main) {
  const json::array& timeline = list_of(incident, "timeline");
  if (timeline.empty()) return main.ShowSection("NO_TIMELINE");
  TemplateDictionary& list = *main.AddSectionDictionary("TIMELINE");
  for (const json::value& entry : timeline) {
    TemplateDictionary& row = *list.AddSectionDictionary("ENTRY");
    set(row, "AT", text_of(entry, "at"));
    set(row, "CLOCK", clock_words(text_of(entry, "at")));
    set(row, "KIND", text_of(entry, "kind"));
    set(row, "TEXT", text_of(entry, "text"));
  }
}

void fill_evidence(const json::value& incident, TemplateDictionary& main) {
  const json::array& evidence = list_of(incident, "evidence");
  if (evidence.empty()) return main.ShowSection("NO_EVIDENCE");
  TemplateDictionary& list = *main.AddSectionDictionary("EVIDENCE");
  for (const json::value& item : evidence) {
    TemplateDictionary& row = *list.AddSectionDictionary("ITEM");
    const std::string unit = text_of(item, "unit");
    set(row, "SERIES", text_of(item, "series"));
    set(row, "BASELINE", figure_words(number_of(item, "baseline"), unit));
    set(row, "OBSERVED", figure_words(number_of(item, "observed"), unit));
    set(row, "UNIT", unit);
  }
}

void fill_steps(const json::value& run, TemplateDictionary& main) {
  const json::array& steps = list_of(run, "steps");
  if (steps.empty()) return main.ShowSection("NO_STEP");
  TemplateDictionary& list = *main.AddSectionDictionary("STEPS");
  for (const json::value& step : steps) {
    TemplateDictionary& row = *list.AddSectionDictionary("STEP");
    const std::string began = text_of(step, "started_at");
    set(row, "ID", text_of(step, "id"));
    set(row, "ACTION", text_of(step, "action"));
    set_state(row, text_of(step, "state"));
    set(row, "NOTE", text_of(step, "note"));
    set(row, "BEGAN", began.empty() ? "–" : clock_words(began));
    set(row, "TOOK", between_words(began, text_of(step, "finished_at")));
  }
}

void fill_guards(const json::value& plan, TemplateDictionary& main) {
  const json::array& guards = list_of(plan, "guards");
  if (guards.empty()) return main.ShowSection("NO_GUARD");
  TemplateDictionary& list = *main.AddSectionDictionary("GUARDS");
  for (const json::value& guard : guards) {
    TemplateDictionary& row = *list.AddSectionDictionary("GUARD");
    set(row, "TEXT", text_of(guard, "guard"));
    set_state(row, text_of(guard, "answer"));
    set(row, "REASON", text_of(guard, "reason"));
  }
}

}  // namespace

std::string console_incident(const json::value& incident, ConsolePart part) {
  TemplateDictionary main("incident");
  const std::string title = text_of(incident, "title");
  const std::string began = text_of(incident, "started_at");
  set(main, "ID", text_of(incident, "id"));
  set(main, "TITLE", title);
  set_state(main, text_of(incident, "state"));
  set(main, "TYPE", text_of(incident, "type"));
  set(main, "SCOPE", scope_words(part_of(incident, "scope")));
  set(main, "BEGAN", time_words(incident, "started_at"));
  set(main, "DETECTED", time_words(incident, "detected_at"));
  set_section(main, "DELAY_SECTION", "DELAY",
              between_words(began, text_of(incident, "detected_at")));
  const std::string lasted = between_words(began, text_of(incident, "resolved_at"));
  if (!lasted.empty()) {
    TemplateDictionary& resolved = *main.AddSectionDictionary("RESOLVED_SECTION");
    set(resolved, "RESOLVED", time_words(incident, "resolved_at"));
    set(resolved, "LASTED", lasted);
  }
  set(main, "CONFIDENCE", share_words(number_of(incident, "confidence")));
  const std::string by = text_of(incident, "acknowledged_by");
  set_section(main, "ACK", "BY", by);
  if (by.empty()) main.ShowSection("NO_ACK");
  fill_timeline(incident, main);
  fill_evidence(incident, main);
  const json::array& runs = list_of(incident, "runs");
  if (runs.empty()) main.ShowSection("NO_RUN");
  TemplateDictionary* list = runs.empty() ? nullptr : main.AddSectionDictionary("RUNS");
  for (const json::value& run : runs) {
    if (run.is_string()) set(*list->AddSectionDictionary("RUN"), "RUN_ID", run.get_string());
  }
  return console_page(title + " · mcguard", "incident.tpl", main, part);
}

std::string console_run(const json::value& run, ConsolePart part) {
  TemplateDictionary main("run");
  const std::string runbook = text_of(run, "runbook"), outcome = text_of(run, "outcome");
  const std::string began = text_of(run, "started_at");
  set(main, "ID", text_of(run, "id"));
  set(main, "RUNBOOK", runbook);
  set(main, "TARGET", text_of(run, "target"));
  set_state(main, outcome.empty() ? text_of(run, "state") : outcome);
  set_section(main, "MESSAGE_SECTION", "MESSAGE", text_of(run, "message"));
  if (text_of(run, "state") == "awaiting_approval") main.ShowSection("WAITING");
  set_section(main, "INCIDENT_SECTION", "INCIDENT", text_of(run, "incident"));
  set(main, "REQUESTER", text_of(run, "requester"));
  set(main, "BEGAN", time_words(run, "started_at"));
  set_section(main, "TOOK_SECTION", "TOOK", between_words(began, text_of(run, "finished_at")));
  const json::value& plan = part_of(run, "plan");
  fill_steps(run, main);
  fill_guards(plan, main);
  set(main, "TARGETS", json::serialize(part_of(plan, "targets")));
  set(main, "PREDICTED", json::serialize(part_of(plan, "predicted")));
  return console_page(runbook + " · mcguard", "run.tpl", main, part);
}

}  // namespace agent::web
