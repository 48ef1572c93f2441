#include "agent/web/agent_metrics.h"

#include <algorithm>
#include <array>

#include "agent/web/figures.h"
#include "base/core/check.h"
#include "base/telemetry/exposition.h"

namespace agent::web {

namespace {

namespace json = boost::json;
using base::telemetry::FamilyBuilder;
using prometheus::MetricType;

constexpr std::array kMetrics = {
    MetricInfo{"mcguard_agent_info", MetricType::Gauge, "version",
               "Always 1; the version that runs."},
    MetricInfo{"mcguard_agent_uptime_seconds", MetricType::Gauge, "",
               "Time since the agent started."},
    MetricInfo{"mcguard_agent_cpu_seconds_total", MetricType::Counter, "",
               "Processor time that the agent has used."},
    MetricInfo{"mcguard_agent_resident_memory_bytes", MetricType::Gauge, "",
               "Resident memory of the agent."},
    MetricInfo{"mcguard_agent_brown_out", MetricType::Gauge, "step",
               "1 for how much the agent allows itself: full, sparing, lean or essential."},
    MetricInfo{"mcguard_agent_brown_out_changes_total", MetricType::Counter, "",
               "Times that the agent went to another step."},
    MetricInfo{"mcguard_agent_late_seconds", MetricType::Gauge, "",
               "How late the agent's own thread is woken, in the mean of the last second."},
    MetricInfo{"mcguard_agent_controller", MetricType::Gauge, "",
               "1 if this agent is the controller."},
    MetricInfo{"mcguard_agent_proxies", MetricType::Gauge, "cluster, state",
               "Proxies by the state in which the agent sees them."},
    MetricInfo{"mcguard_agent_backends", MetricType::Gauge, "cluster, state",
               "Backends by the state in which the agent sees them."},
    MetricInfo{"mcguard_agent_cluster_state", MetricType::Gauge, "cluster, state",
               "1 for the state that the cluster is in: healthy, degraded or down."},
    MetricInfo{"mcguard_agent_cluster_epoch", MetricType::Gauge, "cluster",
               "The cluster's committed epoch."},
    MetricInfo{"mcguard_agent_incidents", MetricType::Gauge, "type, state",
               "Unresolved incidents."},
    MetricInfo{"mcguard_agent_runs", MetricType::Gauge, "runbook, state",
               "Runbook runs that have not ended."},
    MetricInfo{"mcguard_agent_pauses", MetricType::Gauge, "state",
               "Pauses of what policy starts: in_force, or to_come."},
    MetricInfo{"mcguard_agent_incidents_opened_total", MetricType::Counter, "type",
               "Incidents opened since the agent started."},
    MetricInfo{"mcguard_agent_runs_finished_total", MetricType::Counter, "runbook, outcome",
               "Runbook runs that ended since the agent started."},
    MetricInfo{"mcguard_agent_canary_requests_total", MetricType::Counter, "cluster, result",
               "Data-path canaries, each a set and a get through a proxy to a backend."},
    MetricInfo{"mcguard_agent_telemetry_age_seconds", MetricType::Gauge, "proxy",
               "Age of the newest telemetry of a proxy."},
    MetricInfo{"mcguard_agent_connections", MetricType::Gauge, "proxy, state",
               "Sockets of a proxy's listeners by TCP state, counted by the kernel."},
    MetricInfo{"mcguard_agent_connections_opened_total", MetricType::Counter, "proxy",
               "Connections that a proxy's listeners took; from the kernel's events alone, like "
               "the next four."},
    MetricInfo{"mcguard_agent_connections_closed_total", MetricType::Counter, "proxy",
               "Connections that ended."},
    MetricInfo{"mcguard_agent_connections_aborted_total", MetricType::Counter, "proxy",
               "Of those, reset or timed out."},
    MetricInfo{"mcguard_agent_connections_failed_total", MetricType::Counter, "proxy",
               "Handshakes that did not end well."},
    MetricInfo{"mcguard_agent_connection_retransmits_total", MetricType::Counter, "proxy",
               "Segments sent again to clients."},
    MetricInfo{"mcguard_agent_listen_queue", MetricType::Gauge, "proxy",
               "Connections that wait to be accepted."},
    MetricInfo{"mcguard_agent_listen_drops", MetricType::Gauge, "proxy",
               "Connections refused because that queue was full, since the listeners were opened."},
    MetricInfo{"mcguard_agent_connection_source", MetricType::Gauge, "source",
               "1 for the source of these counts: bpf, diagnostics or proxies."},
    MetricInfo{"mcguard_agent_connection_counts_exact", MetricType::Gauge, "",
               "1 while no event has been missed since connections were counted from scratch."},
    MetricInfo{"mcguard_agent_connection_events_missed_total", MetricType::Counter, "",
               "Events that the kernel dropped; each leads to a new count from scratch."},
    MetricInfo{
        "mcguard_agent_connection_watch_cpu_seconds_total", MetricType::Counter, "",
        "Processor time that watching connections has used, besides the kernel's own events."},
    MetricInfo{
        "mcguard_agent_echo_seconds", MetricType::Histogram, "target",
        "Round trips of echoes over UDP, without the time for which they lay at either end."},
    MetricInfo{"mcguard_agent_echo_asked_total", MetricType::Counter, "target",
               "Echoes that the agent has asked for."},
    MetricInfo{"mcguard_agent_echo_lost_total", MetricType::Counter, "target",
               "Of those, not answered within a second."},
    MetricInfo{"mcguard_agent_echo_late_total", MetricType::Counter, "target",
               "Of the lost, answered after all."},
    MetricInfo{"mcguard_agent_echo_answers_total", MetricType::Counter, "",
               "Others' echoes that the agent has answered."},
    MetricInfo{"mcguard_agent_echo_dropped_total", MetricType::Counter, "reason",
               "Datagrams dropped: malformed, unknown_peer, limited (too many of one peer) or "
               "unexpected (nobody asked for such an answer)."},
    MetricInfo{"mcguard_agent_rule_evaluations_total", MetricType::Counter, "",
               "Evaluations of the detection rules."},
    MetricInfo{"mcguard_agent_recording_events_total", MetricType::Counter, "fate",
               "What the rules were told, by what became of it in the recording: kept, or left out "
               "because the disk was behind or failing."},
    MetricInfo{"mcguard_agent_page_writes_total", MetricType::Counter, "",
               "Complete publications of the status page."},
    MetricInfo{"mcguard_agent_page_write_failures_total", MetricType::Counter, "",
               "Publications of the status page that failed."},
    MetricInfo{"mcguard_agent_page_last_success_timestamp_seconds", MetricType::Gauge, "",
               "When the status page was last published."},
    MetricInfo{"mcguard_agent_log_lines_suppressed_total", MetricType::Counter, "",
               "Log lines held back by the rate limit."},
    MetricInfo{"mcguard_agent_alerts_firing", MetricType::Gauge, "",
               "Alerts that Alertmanager has sent and not resolved."},
    MetricInfo{"mcguard_agent_alerts_received_total", MetricType::Counter, "status",
               "Alerts taken from Alertmanager, each as often as it was sent."},
    MetricInfo{"mcguard_agent_flushes_pending", MetricType::Gauge, "",
               "Flushes that are decided and not yet complete on every proxy."},
    MetricInfo{"mcguard_agent_machine_memory_bytes", MetricType::Gauge, "",
               "Memory of the agent's machine."},
    MetricInfo{"mcguard_agent_machine_memory_available_bytes", MetricType::Gauge, "",
               "Of it, what programs can still have without swapping."},
    MetricInfo{"mcguard_agent_http_requests_total", MetricType::Counter, "status",
               "Requests to the operator API and console, by HTTP status."},
    MetricInfo{"mcguard_agent_event_readers", MetricType::Gauge, "",
               "Open streams of server-sent events."},
};

FamilyBuilder family(std::string_view name) {
  const auto found = std::find_if(kMetrics.begin(), kMetrics.end(),
                                  [&](const MetricInfo& info) { return info.name == name; });
  CHECK(found != kMetrics.end());
  return FamilyBuilder(std::string(found->name), std::string(found->help), found->type);
}

using Families = std::vector<prometheus::MetricFamily>;

void add_one(Families& out, std::string_view name, double value) {
  FamilyBuilder builder = family(name);
  builder.add({}, value);
  out.push_back(std::move(builder).build());
}

// A family with one sample per entry; an empty map gives no family.
template <class Key, class Value, class ToLabels>
void add_each(Families& out, std::string_view name, const std::map<Key, Value>& values,
              ToLabels labels) {
  if (values.empty()) return;
  FamilyBuilder builder = family(name);
  for (const auto& [key, value] : values) builder.add(labels(key), static_cast<double>(value));
  out.push_back(std::move(builder).build());
}

using Pair = std::pair<std::string, std::string>;

auto pair_labels(const char* first, const char* second) {
  return [=](const Pair& key) {
    return base::telemetry::Labels{{first, key.first}, {second, key.second}};
  };
}

auto label(const char* name) {
  return [=](const std::string& key) { return base::telemetry::Labels{{name, key}}; };
}

void add_connections(Families& out, const ConnectionMetrics& metrics) {
  if (metrics.source.empty()) return;
  add_each(out, "mcguard_agent_connections", metrics.by_state, pair_labels("proxy", "state"));
  add_each(out, "mcguard_agent_connections_opened_total", metrics.opened, label("proxy"));
  add_each(out, "mcguard_agent_connections_closed_total", metrics.closed, label("proxy"));
  add_each(out, "mcguard_agent_connections_aborted_total", metrics.aborted, label("proxy"));
  add_each(out, "mcguard_agent_connections_failed_total", metrics.failed, label("proxy"));
  add_each(out, "mcguard_agent_connection_retransmits_total", metrics.retransmits, label("proxy"));
  add_each(out, "mcguard_agent_listen_queue", metrics.queue, label("proxy"));
  add_each(out, "mcguard_agent_listen_drops", metrics.queue_drops, label("proxy"));
  add_each(out, "mcguard_agent_connection_source", std::map<std::string, int>{{metrics.source, 1}},
           label("source"));
  add_one(out, "mcguard_agent_connection_counts_exact", metrics.exact ? 1 : 0);
  add_one(out, "mcguard_agent_connection_events_missed_total",
          static_cast<double>(metrics.missed_events));
  add_one(out, "mcguard_agent_connection_watch_cpu_seconds_total", metrics.processor_seconds);
}

void add_echoes(Families& out, const EchoMetrics& metrics) {
  if (!metrics.trips.empty()) {
    FamilyBuilder builder = family("mcguard_agent_echo_seconds");
    for (const auto& [target, trips] : metrics.trips) {
      builder.add_histogram({{"target", target}}, trips.within, trips.count, trips.seconds);
    }
    out.push_back(std::move(builder).build());
  }
  add_each(out, "mcguard_agent_echo_asked_total", metrics.asked, label("target"));
  add_each(out, "mcguard_agent_echo_lost_total", metrics.lost, label("target"));
  add_each(out, "mcguard_agent_echo_late_total", metrics.late, label("target"));
  if (metrics.answered) {
    add_one(out, "mcguard_agent_echo_answers_total", static_cast<double>(*metrics.answered));
  }
  add_each(out, "mcguard_agent_echo_dropped_total", metrics.dropped, label("reason"));
}

}  // namespace

std::span<const MetricInfo> agent_metrics() {
  return kMetrics;
}

Families counter_families(const AgentCounters& counters) {
  Families out;
  add_each(out, "mcguard_agent_incidents_opened_total", counters.incidents_opened, label("type"));
  add_each(out, "mcguard_agent_runs_finished_total", counters.runs_finished,
           pair_labels("runbook", "outcome"));
  add_each(out, "mcguard_agent_canary_requests_total", counters.canary_requests,
           pair_labels("cluster", "result"));
  add_each(out, "mcguard_agent_telemetry_age_seconds", counters.telemetry_age_seconds,
           label("proxy"));
  add_connections(out, counters.connections);
  add_echoes(out, counters.echoes);
  add_one(out, "mcguard_agent_rule_evaluations_total",
          static_cast<double>(counters.rule_evaluations));
  add_each(out, "mcguard_agent_recording_events_total", counters.recording_events, label("fate"));
  add_one(out, "mcguard_agent_page_writes_total", static_cast<double>(counters.page_writes));
  add_one(out, "mcguard_agent_page_write_failures_total",
          static_cast<double>(counters.page_write_failures));
  if (counters.page_last_success.ns != 0) {
    add_one(out, "mcguard_agent_page_last_success_timestamp_seconds",
            static_cast<double>(counters.page_last_success.ns / 1'000'000) / 1e3);
  }
  add_one(out, "mcguard_agent_log_lines_suppressed_total",
          static_cast<double>(counters.log_lines_suppressed));
  add_one(out, "mcguard_agent_alerts_firing", static_cast<double>(counters.alerts_firing));
  add_each(out, "mcguard_agent_alerts_received_total", counters.alerts_received, label("status"));
  add_one(out, "mcguard_agent_flushes_pending", static_cast<double>(counters.flushes_pending));
  if (counters.machine_memory_bytes != 0) {
    add_one(out, "mcguard_agent_machine_memory_bytes",
            static_cast<double>(counters.machine_memory_bytes));
    add_one(out, "mcguard_agent_machine_memory_available_bytes",
            static_cast<double>(counters.machine_memory_available_bytes));
  }
  return out;
}

Families status_families(const json::value& status) {
  Families out;
  const json::value& agent = part_of(status, "agent");
  if (agent.is_object()) {
    add_each(out, "mcguard_agent_info", std::map<std::string, int>{{text_of(agent, "version"), 1}},
             label("version"));
    add_one(out, "mcguard_agent_uptime_seconds", number_of(agent, "uptime_seconds"));
    add_one(out, "mcguard_agent_cpu_seconds_total", number_of(agent, "cpu_seconds"));
    add_one(out, "mcguard_agent_resident_memory_bytes", number_of(agent, "memory_bytes"));
    std::map<std::string, int> steps;
    for (const char* step : {"full", "sparing", "lean", "essential"}) {
      steps[step] = text_of(agent, "brown_out") == step ? 1 : 0;
    }
    add_each(out, "mcguard_agent_brown_out", steps, label("step"));
    add_one(out, "mcguard_agent_brown_out_changes_total", number_of(agent, "brown_out_changes"));
    add_one(out, "mcguard_agent_late_seconds", number_of(agent, "late_seconds"));
    add_one(out, "mcguard_agent_controller", flag_of(agent, "controller") ? 1 : 0);
  }
  std::map<Pair, int> proxies, backends, states, incidents, runs;
  std::map<std::string, double> epochs;
  for (const json::value& cluster : list_of(status, "clusters")) {
    const std::string name = text_of(cluster, "name");
    for (const char* state : {"healthy", "degraded", "down"}) {
      states[{name, state}] = text_of(cluster, "state") == state ? 1 : 0;
    }
    epochs[name] = number_of(cluster, "epoch");
    for (const json::value& proxy : list_of(cluster, "proxies")) {
      ++proxies[{name, text_of(proxy, "state")}];
    }
    for (const json::value& backend : list_of(cluster, "backends")) {
      ++backends[{name, text_of(backend, "state")}];
    }
  }
  for (const json::value& incident : list_of(status, "incidents")) {
    const std::string state = text_of(incident, "state");
    if (state != "resolved") ++incidents[{text_of(incident, "type"), state}];
  }
  for (const json::value& run : list_of(status, "runs")) {
    const std::string state = text_of(run, "state");
    if (state != "finished") ++runs[{text_of(run, "runbook"), state}];
  }
  std::map<std::string, double> pauses{{"in_force", 0}, {"to_come", 0}};
  for (const json::value& pause : list_of(status, "pauses")) {
    ++pauses[flag_of(pause, "in_force") ? "in_force" : "to_come"];
  }
  add_each(out, "mcguard_agent_proxies", proxies, pair_labels("cluster", "state"));
  add_each(out, "mcguard_agent_backends", backends, pair_labels("cluster", "state"));
  add_each(out, "mcguard_agent_cluster_state", states, pair_labels("cluster", "state"));
  add_each(out, "mcguard_agent_cluster_epoch", epochs, label("cluster"));
  add_each(out, "mcguard_agent_incidents", incidents, pair_labels("type", "state"));
  add_each(out, "mcguard_agent_runs", runs, pair_labels("runbook", "state"));
  add_each(out, "mcguard_agent_pauses", pauses, label("state"));
  return out;
}

Families web_families(const WebCounters& counters) {
  Families out;
  std::map<std::string, uint64_t> requests;
  for (const auto& [status, count] : counters.requests) requests[std::to_string(status)] = count;
  add_each(out, "mcguard_agent_http_requests_total", requests, label("status"));
  add_one(out, "mcguard_agent_event_readers", static_cast<double>(counters.event_readers));
  return out;
}

}  // namespace agent::web
