#include "cli/verbs/views.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "cli/output/format.h"
#include "cli/output/table.h"
#include "cli/output/yaml_text.h"
#include "cli/verbs/run_views.h"

namespace cli {
namespace {

namespace json = boost::json;

template <class Each>
void each_object(const json::array& list, Each each) {
  for (const json::value& item : list) {
    if (item.is_object()) each(item.get_object());
  }
}

std::string address_of(const json::object& object) {
  const std::string address = text_of(object, "address");
  if (address.starts_with('/')) return address;  // a Unix socket
  return address + ":" + text_of(object, "port");
}

std::string scope_of(const json::object& incident) {
  const json::object& scope = object_of(incident, "scope");
  for (const char* key : {"client", "backend", "proxy", "cluster"}) {
    const std::string name = text_of(scope, key);
    if (!name.empty()) return std::string(key) + " " + name;
  }
  return "several clusters";
}

std::string yes_no(bool yes) {
  return yes ? "yes" : "no";
}

double sum_of(const json::array& list, std::string_view key) {
  double sum = 0;
  each_object(list, [&](const json::object& item) { sum += number_of(item, key); });
  return sum;
}

// "2/2", how many of them are up.
Cell up_cell(const json::array& members) {
  size_t up = 0;
  each_object(members, [&](const json::object& m) { up += text_of(m, "state") == "up" ? 1 : 0; });
  return Cell(std::to_string(up) + "/" + std::to_string(members.size()),
              up == members.size() ? Style::kGood : Style::kBad);
}

json::array unfinished(const json::array& list, std::string_view last_state) {
  json::array kept;
  each_object(list, [&](const json::object& item) {
    if (text_of(item, "state") != last_state) kept.emplace_back(item);
  });
  return kept;
}

std::string title(const View& view, const std::string& text) {
  return view.terminal.paint(text, Style::kBold) + "\n";
}

}  // namespace

const json::array& items_of(const json::value& value, std::string_view key) {
  static const json::array kNone;
  if (value.is_array()) return value.get_array();
  return value.is_object() ? list_of(value.get_object(), key) : kNone;
}

std::string proxies_view(const json::array& proxies, const View& view) {
  Table table({"PROXY", "STATE", "ADDRESS", "PID", "EPOCH", "CONNS", "REQ/S", "P50", "P99", "SLOW",
               "ERR/S", "SINCE"});
  each_object(proxies, [&](const json::object& p) {
    table.add({text_of(p, "id"), state_cell(text_of(p, "state")), address_of(p),
               number_cell(text_of(p, "pid")), number_cell(text_of(p, "epoch")),
               number_cell(format_count(number_of(p, "connections"))),
               number_cell(format_rate(number_of(p, "requests_per_second"))),
               number_cell(format_latency(number_of(p, "p50_seconds"))),
               number_cell(format_latency(number_of(p, "p99_seconds"))),
               number_cell(format_share(number_of(p, "slow_share"))),
               number_cell(format_rate(number_of(p, "errors_per_second"))),
               format_since(text_of(p, "since"), view.now)});
  });
  return table.render(view.terminal);
}

std::string backends_view(const json::array& backends, const View& view) {
  Table table({"BACKEND", "STATE", "ADDRESS", "PID", "SLOTS", "ITEMS", "BYTES", "LIMIT", "REQ/S",
               "P99", "SINCE"});
  each_object(backends, [&](const json::object& b) {
    table.add({text_of(b, "id"), state_cell(text_of(b, "state")), address_of(b),
               number_cell(text_of(b, "pid")), number_cell(format_count(number_of(b, "slots"))),
               number_cell(format_count(number_of(b, "items"))),
               number_cell(format_bytes(number_of(b, "bytes"))),
               number_cell(format_bytes(number_of(b, "limit_bytes"))),
               number_cell(format_rate(number_of(b, "requests_per_second"))),
               number_cell(format_latency(number_of(b, "p99_seconds"))),
               format_since(text_of(b, "since"), view.now)});
  });
  return table.render(view.terminal);
}

std::string clusters_view(const json::object& status, const View& view) {
  Table table({"CLUSTER", "STATE", "EPOCH", "PROXIES", "BACKENDS", "CONNS", "REQ/S"});
  each_object(list_of(status, "clusters"), [&](const json::object& c) {
    const json::array& proxies = list_of(c, "proxies");
    std::string epoch = text_of(c, "epoch");
    if (number_of(c, "prepared_epoch") > 0) epoch += "→" + text_of(c, "prepared_epoch");
    table.add({text_of(c, "name"), state_cell(text_of(c, "state")), number_cell(epoch),
               up_cell(proxies), up_cell(list_of(c, "backends")),
               number_cell(format_count(sum_of(proxies, "connections"))),
               number_cell(format_rate(sum_of(proxies, "requests_per_second")))});
  });
  return table.render(view.terminal);
}

std::string cluster_view(const json::object& cluster, const View& view) {
  const std::string open = text_of(cluster, "open");
  return "cluster " + view.terminal.paint(text_of(cluster, "name"), Style::kBold) + "  " +
         view.terminal.paint(text_of(cluster, "state"), style_of_state(text_of(cluster, "state"))) +
         "  epoch " + text_of(cluster, "epoch") + (open.empty() ? "" : "  open " + open) + "\n\n" +
         proxies_view(list_of(cluster, "proxies"), view) + "\n" +
         backends_view(list_of(cluster, "backends"), view);
}

std::string status_view(const json::object& status, const View& view) {
  const json::object& agent = object_of(status, "agent");
  const auto uptime = static_cast<int64_t>(number_of(agent, "uptime_seconds") * 1e9);
  std::string out = "region " + view.terminal.paint(text_of(status, "region"), Style::kBold) +
                    "  agent " + text_of(agent, "version") + " (process " + text_of(agent, "pid") +
                    ", up " + format_age(base::Duration(uptime)) + ")" +
                    (truth_of(status, "gameday") ? "  game day" : "") + "\n";
  if (const std::string why = text_of(agent, "brown_out_why"); !why.empty()) {
    out += view.terminal.paint("brown-out: " + text_of(agent, "brown_out"), Style::kWarn) + ", " +
           why + "\n";
  }
  const json::array& pauses = list_of(status, "pauses");
  if (!pauses.empty()) out += "\n" + title(view, "pauses") + pauses_view(pauses, view);
  out += "\n";
  out += clusters_view(status, view);
  for (const json::value& cluster : list_of(status, "clusters")) {
    if (!cluster.is_object()) continue;
    out += "\n" + proxies_view(list_of(cluster.get_object(), "proxies"), view);
    out += "\n" + backends_view(list_of(cluster.get_object(), "backends"), view);
  }
  const json::object& connections = object_of(status, "connections");
  if (const std::string source = text_of(connections, "source"); !source.empty()) {
    out += "\nconnections counted by " + source +
           (truth_of(connections, "exact") ? ", exact" : "; " + text_of(connections, "why")) + "\n";
  }
  const json::array incidents = unfinished(list_of(status, "incidents"), "resolved");
  out += "\n";
  out += incidents.empty() ? view.terminal.paint("no incident", Style::kGood) + "\n"
                           : title(view, "incidents") + incidents_view(incidents, view);
  const json::array runs = unfinished(list_of(status, "runs"), "finished");
  if (!runs.empty()) out += "\n" + title(view, "runs") + runs_view(runs, view);
  return out;
}

std::string object_view(const json::object& object, const View& view) {
  std::string lines, nested;
  size_t width = 0;
  for (const auto& [key, value] : object) width = std::max<size_t>(width, key.size());
  for (const auto& [key, value] : object) {
    const std::string name(key);
    if (value.is_object() || value.is_array()) {
      nested += "\n" + view.terminal.paint(name, Style::kBold) + "\n" + to_yaml_text(value);
    } else {
      lines += view.terminal.paint(name, Style::kDim) + std::string(width - name.size() + 2, ' ') +
               text_of(object, name) + "\n";
    }
  }
  return lines + nested;
}

std::string incidents_view(const json::array& incidents, const View& view) {
  if (incidents.empty()) return "no incidents\n";
  Table table({"INCIDENT", "STATE", "TYPE", "SCOPE", "DETECTED", "TITLE"});
  each_object(incidents, [&](const json::object& i) {
    table.add({text_of(i, "id"), state_cell(text_of(i, "state")), text_of(i, "type"), scope_of(i),
               format_since(text_of(i, "detected_at"), view.now), text_of(i, "title")});
  });
  return table.render(view.terminal);
}

std::string incident_view(const json::object& i, const View& view) {
  const std::string state = text_of(i, "state");
  const std::string resolved = text_of(i, "resolved_at");
  const std::string acknowledged = text_of(i, "acknowledged_by");
  std::string out = view.terminal.paint(text_of(i, "title"), Style::kBold) + "\n";
  out += text_of(i, "id") + "  " + view.terminal.paint(state, style_of_state(state)) + "  " +
         text_of(i, "type") + "  " + scope_of(i) + "\n";
  out += "started " + text_of(i, "started_at") + ", detected " + text_of(i, "detected_at") +
         (resolved.empty() ? "" : ", resolved " + resolved) +
         (acknowledged.empty() ? "" : ", acknowledged by " + acknowledged) + "\n";
  Table evidence({"SERIES", "BASELINE", "OBSERVED"});
  each_object(list_of(i, "evidence"), [&](const json::object& e) {
    const std::string unit = text_of(e, "unit");
    evidence.add({text_of(e, "series"), number_cell(format_figure(number_of(e, "baseline"), unit)),
                  number_cell(format_figure(number_of(e, "observed"), unit))});
  });
  if (!evidence.empty()) out += "\n" + evidence.render(view.terminal);
  Table timeline({"TIME", "WHAT", ""});
  each_object(list_of(i, "timeline"), [&](const json::object& e) {
    timeline.add({text_of(e, "at"), text_of(e, "kind"), text_of(e, "text")});
  });
  if (!timeline.empty()) out += "\n" + timeline.render(view.terminal);
  return out;
}

std::string caches_view(const json::array& caches, const View& view) {
  if (caches.empty()) return "no caches\n";
  Table table({"CACHE", "LABEL", "CLUSTER", "PLAN", "ENABLED", "GENERATION", "LIMIT"});
  each_object(caches, [&](const json::object& c) {
    const double limit = number_of(c, "limit_bytes");
    table.add({number_cell(text_of(c, "id")), text_of(c, "label"), text_of(c, "cluster"),
               text_of(c, "plan"), state_cell(yes_no(truth_of(c, "enabled"))),
               number_cell(text_of(c, "generation")),
               number_cell(limit > 0 ? format_bytes(limit) : "none")});
  });
  return table.render(view.terminal);
}

std::string credentials_view(const json::array& credentials, const View& view) {
  if (credentials.empty()) return "no credentials\n";
  Table table({"USERNAME", "CACHE", "WRITE", "FLUSH", "API", "PRIMARY"});
  each_object(credentials, [&](const json::object& c) {
    table.add({text_of(c, "username"), number_cell(text_of(c, "cache")),
               yes_no(truth_of(c, "write")), yes_no(truth_of(c, "flush")),
               yes_no(truth_of(c, "api")), yes_no(truth_of(c, "primary"))});
  });
  return table.render(view.terminal);
}

namespace {

// "exact, by the kernel's events" and the like: what the figures above are worth.
std::string connections_source(const json::object& answer) {
  const std::string source = text_of(answer, "source");
  std::string text;
  if (!truth_of(answer, "known")) {
    text = "not counted yet";
  } else if (source == "bpf") {
    text = truth_of(answer, "exact") ? "exact, by the kernel's events"
                                     : "by the kernel's events, being counted anew";
  } else if (source == "diagnostics") {
    const auto age = static_cast<int64_t>(number_of(answer, "age_seconds") * 1e9);
    text = "by socket diagnostics, " + format_age(base::Duration(age)) + " old";
  } else {
    text = "not counted by the kernel";
  }
  const std::string why = text_of(answer, "why");
  if (!why.empty()) text += "; " + why;
  const double waiting = number_of(answer, "time_wait");
  if (waiting > 0) text += "\nbesides, of all ports: " + format_count(waiting) + " in time_wait";
  return text + "\n";
}

}  // namespace

std::string connections_view(const json::object& answer, const View& view) {
  const json::array& rows = list_of(answer, "rows");
  const std::string source = text_of(answer, "source");
  std::string end = source.empty() ? "" : "\n" + connections_source(answer);
  if (rows.empty()) return "no connections\n" + end;
  const std::string by = text_of(answer, "by");
  std::string head = by.empty() ? "key" : by;
  for (char& c : head) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  // What only events tell is not shown as nought.
  const bool events = source == "bpf" && (by == "client" || by == "port");
  std::vector<std::string> heads{head, "CONNS"};
  std::vector<std::string> more;
  if (events && by == "client") more = {"opened", "bytes"};
  if (events && by == "port") {
    more = {"opened", "closed", "aborted", "failed", "retransmits", "queue", "queue_drops"};
  }
  for (const std::string& name : more) {
    std::string title = name == "queue_drops" ? "drops" : name;
    for (char& c : title) c = static_cast<char>(c - 32);
    heads.push_back(title);
  }
  Table table(heads);
  each_object(rows, [&](const json::object& row) {
    std::vector<Cell> cells{text_of(row, by),
                            number_cell(format_count(number_of(row, "connections")))};
    for (const std::string& name : more) {
      cells.push_back(number_cell(format_count(number_of(row, name))));
    }
    table.add(cells);
  });
  const std::string spread = text_of(object_of(answer, "spread"), "sentence");
  return table.render(view.terminal) + (spread.empty() ? "" : "\n" + spread) + end;
}

std::string faults_view(const json::array& faults, const View& view) {
  if (faults.empty()) return "no faults\n";
  Table table({"FAULT", "KIND", "TARGET", "SHARE", "DELAY"});
  each_object(faults, [&](const json::object& f) {
    const json::object& match = object_of(f, "match");
    std::string target = text_of(f, "target");
    for (const char* key : {"cluster", "proxy", "backend"}) {
      const std::string name = text_of(match, key);
      if (!name.empty()) target += (target.empty() ? "" : ", ") + std::string(key) + " " + name;
    }
    const bool link = f.contains("share");
    table.add({text_of(f, "id"), text_of(f, "kind"), target,
               link ? format_share(number_of(f, "share")) : "",
               link ? text_of(f, "delay_min_ms") + ".." + text_of(f, "delay_max_ms") + " ms" : ""});
  });
  return table.render(view.terminal);
}

}  // namespace cli
