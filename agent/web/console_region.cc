#include <cmath>

#include "agent/publish/civil_time.h"
#include "agent/web/console_page.h"
#include "agent/web/figures.h"

namespace agent::web {

namespace {

namespace json = boost::json;

// "proxy amber-proxy-1", "cluster amber", "several clusters".
std::string scope_words(const json::value& incident) {
  const json::value& scope = part_of(incident, "scope");
  for (const char* kind : {"client", "proxy", "backend", "cluster"}) {
    const std::string name = text_of(scope, kind);
    if (!name.empty()) return std::string(kind) + " " + name;
  }
  return "several clusters";
}

std::string address_of(const json::value& member) {
  const std::string address = text_of(member, "address");
  if (address.starts_with('/')) return address;  // a Unix socket
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" +
         std::to_string(static_cast<int>(number_of(member, "port")));
}

void fill_member(const json::value& member, base::WallTime now, TemplateDictionary& row) {
  const std::string state = text_of(member, "state");
  const std::string_view tone = tone_of(state);
  set(row, "ID", text_of(member, "id"));
  set(row, "ADDRESS", address_of(member));
  const auto pid = static_cast<int64_t>(number_of(member, "pid"));
  set_section(row, "HAS_PID", "PID", pid > 0 ? std::to_string(pid) : "");
  set_state(row, state);
  set(row, "ROW", tone == "bad" ? "hurt" : tone == "warn" ? "wary" : "calm");
  set(row, "RATE", rate_words(number_of(member, "requests_per_second")));
  set(row, "P99", latency_words(number_of(member, "p99_seconds")));
  const base::WallTime since = parse_rfc3339(text_of(member, "since"));
  set(row, "SINCE", since.ns == 0 ? "–" : publish::duration_words(now - since));
}

void fill_proxy(const json::value& proxy, base::WallTime now, TemplateDictionary& row) {
  fill_member(proxy, now, row);
  set(row, "CONNECTIONS", count_words(number_of(proxy, "connections")));
  set(row, "P50", latency_words(number_of(proxy, "p50_seconds")));
  set(row, "SLOW", share_words(number_of(proxy, "slow_share")));
  set(row, "ERRORS", rate_words(number_of(proxy, "errors_per_second")));
  set(row, "EPOCH", count_words(number_of(proxy, "epoch")));
}

void fill_backend(const json::value& backend, base::WallTime now, TemplateDictionary& row) {
  fill_member(backend, now, row);
  const double weight = number_of(backend, "weight");
  set(row, "WEIGHT", weight == std::floor(weight) ? count_words(weight) : rate_words(weight));
  set(row, "SLOTS", count_words(number_of(backend, "slots")));
  set(row, "ITEMS", count_words(number_of(backend, "items")));
  set(row, "BYTES", bytes_words(number_of(backend, "bytes")));
  set(row, "LIMIT", bytes_words(number_of(backend, "limit_bytes")));
}

void fill_clusters(const json::value& status, const History& history, base::WallTime now,
                   TemplateDictionary& main) {
  for (const json::value& cluster : list_of(status, "clusters")) {
    TemplateDictionary& shown = *main.AddSectionDictionary("CLUSTER");
    const std::string name = text_of(cluster, "name");
    set(shown, "NAME", name);
    set_state(shown, text_of(cluster, "state"));
    set(shown, "EPOCH", count_words(number_of(cluster, "epoch")));
    const double next = number_of(cluster, "prepared_epoch");
    set_section(shown, "PREPARING", "NEXT", next > 0 ? count_words(next) : "");
    set_section(shown, "OPEN_LISTENER", "ADDRESS", text_of(cluster, "open"));
    set(shown, "POINTS", polyline(history.of("cluster/" + name)));
    double rate = 0;
    for (const json::value& proxy : list_of(cluster, "proxies")) {
      rate += number_of(proxy, "requests_per_second");
      fill_proxy(proxy, now, *shown.AddSectionDictionary("PROXY"));
    }
    set(shown, "RATE", rate_words(rate));
    for (const json::value& backend : list_of(cluster, "backends")) {
      fill_backend(backend, now, *shown.AddSectionDictionary("BACKEND"));
    }
  }
  if (list_of(status, "clusters").empty()) main.ShowSection("NO_CLUSTER");
}

void fill_incidents(const json::value& status, base::WallTime now, TemplateDictionary& main) {
  bool open = false;
  TemplateDictionary* pasts = nullptr;
  for (const json::value& incident : list_of(status, "incidents")) {
    const std::string state = text_of(incident, "state");
    const bool resolved = state == "resolved";
    if (resolved && !pasts) pasts = main.AddSectionDictionary("PASTS");
    TemplateDictionary& row =
        *(resolved ? pasts->AddSectionDictionary("PAST") : main.AddSectionDictionary("OPEN"));
    open = open || !resolved;
    const std::string began = text_of(incident, "started_at");
    set(row, "ID", text_of(incident, "id"));
    set(row, "TITLE", text_of(incident, "title"));
    set(row, "TONE", tone_of(state));
    set(row, "SCOPE", scope_words(incident));
    set(row, "BEGAN", ago_words(began, now));
    set(row, "LASTED", between_words(began, text_of(incident, "resolved_at")));
    set(row, "CONFIDENCE", share_words(number_of(incident, "confidence")));
    set_section(row, "ACK", "BY", text_of(incident, "acknowledged_by"));
    set_state(row, state);
  }
  if (!open) main.ShowSection("NO_OPEN");
  if (!pasts) main.ShowSection("NO_PAST");
}

// A run that is over is told by its outcome, one that goes on by its state.
std::string run_state(const json::value& run) {
  const std::string outcome = text_of(run, "outcome");
  return outcome.empty() ? text_of(run, "state") : outcome;
}

void fill_runs(const json::value& status, base::WallTime now, TemplateDictionary& main) {
  TemplateDictionary* runs = nullptr;
  for (const json::value& run : list_of(status, "runs")) {
    if (!runs) runs = main.AddSectionDictionary("RUNS");
    TemplateDictionary& row = *runs->AddSectionDictionary("RUN");
    const std::string began = text_of(run, "started_at");
    set(row, "ID", text_of(run, "id"));
    set(row, "RUNBOOK", text_of(run, "runbook"));
    set(row, "TARGET", text_of(run, "target"));
    set_state(row, run_state(run));
    set(row, "STEP", text_of(run, "step"));
    set_section(row, "HAS_INCIDENT", "INCIDENT", text_of(run, "incident"));
    set(row, "BEGAN", ago_words(began, now));
    set(row, "TOOK", between_words(began, text_of(run, "finished_at")));
    if (text_of(run, "state") == "awaiting_approval") {
      TemplateDictionary& waiting = *main.AddSectionDictionary("WAITING");
      set(waiting, "ID", text_of(run, "id"));
      set(waiting, "RUNBOOK", text_of(run, "runbook"));
    }
  }
  if (!runs) main.ShowSection("NO_RUN");
}

// "amber, replace-proxy"; "The whole region".
std::string paused_what(const json::value& pause) {
  const std::string cluster = text_of(pause, "cluster");
  const std::string runbook = text_of(pause, "runbook");
  const std::string where = cluster.empty() ? "The whole region" : cluster;
  return runbook.empty() ? where : runbook + (cluster.empty() ? "" : " in " + cluster);
}

void fill_pauses(const json::value& status, TemplateDictionary& main) {
  for (const json::value& pause : list_of(status, "pauses")) {
    TemplateDictionary& row = *main.AddSectionDictionary("PAUSE");
    const bool in_force = flag_of(pause, "in_force");
    const base::WallTime at = parse_rfc3339(text_of(pause, in_force ? "until" : "from"));
    set(row, "ID", text_of(pause, "id"));
    set(row, "WHAT", paused_what(pause));
    set(row, "WHEN",
        (in_force ? "is paused until " : "will be paused from ") + publish::date_and_seconds(at));
    set(row, "STARTS", in_force ? "starts" : "will start");
    set(row, "THEN", in_force ? "" : " then");
    set(row, "REASON", text_of(pause, "reason"));
    set(row, "OWNER", text_of(pause, "owner"));
  }
}

}  // namespace

std::string console_region(const json::value& status, const History& history, ConsolePart part) {
  TemplateDictionary main("region");
  const base::WallTime now = parse_rfc3339(text_of(status, "generated_at"));
  const json::value& agent = part_of(status, "agent");
  const std::string region = text_of(status, "region");
  const double uptime = number_of(agent, "uptime_seconds");
  set(main, "REGION", region);
  set(main, "NOW", publish::date_and_seconds(now));
  set(main, "VERSION", text_of(agent, "version"));
  set(main, "PID", std::to_string(static_cast<int64_t>(number_of(agent, "pid"))));
  set(main, "UPTIME", publish::duration_words(base::from_seconds(uptime)));
  set(main, "MEMORY", bytes_words(number_of(agent, "memory_bytes")));
  set(main, "CPU", share_words(uptime > 0 ? number_of(agent, "cpu_seconds") / uptime : 0));
  if (flag_of(status, "gameday")) main.ShowSection("GAMEDAY");
  if (!flag_of(agent, "controller")) main.ShowSection("NOT_CONTROLLER");
  // As `mcguard status` does: a step that costs nothing has no reason.
  if (const std::string why = text_of(agent, "brown_out_why"); !why.empty()) {
    TemplateDictionary& step = *main.AddSectionDictionary("BROWN_OUT");
    set(step, "STEP", text_of(agent, "brown_out"));
    set(step, "WHY", why);
  }
  fill_clusters(status, history, now, main);
  fill_incidents(status, now, main);
  fill_runs(status, now, main);
  fill_pauses(status, main);
  return console_page(region + " · mcguard", "region.tpl", main, part);
}

}  // namespace agent::web
