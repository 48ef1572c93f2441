#include <CLI/CLI.hpp>
#include <array>
#include <boost/json/array.hpp>
#include <memory>

#include "agent/conns/bpf_source.h"
#include "agent/conns/diag_source.h"
#include "agent/conns/report.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;
namespace conns = agent::conns;

struct Options {
  std::string by = "state";
  std::string source = "agent";
  uint16_t port = 0;
};

json::object as_object(const json::value& value) {
  return value.is_object() ? value.get_object() : json::object{};
}

// What to watch: the port asked for, or all that somebody listens on.
base::Result<std::vector<conns::WatchedPort>> ports_of(const Options& options) {
  if (options.port != 0) return std::vector<conns::WatchedPort>{{options.port, {}}};
  const auto listening = conns::listening_ports();
  if (!listening.ok()) return listening.error();
  if (listening->size() > conns::kMaxSlots) {
    return base::Error(
        base::ErrorCode::kExhausted,
        "more ports are listened on than are counted together; name one with --port");
  }
  std::vector<conns::WatchedPort> ports;
  for (const uint16_t port : *listening) ports.push_back({port, {}});
  return ports;
}

base::Result<json::object> count_by_events(const Options& options, conns::By by) {
  const auto ports = ports_of(options);
  if (!ports.ok()) return ports.error();
  auto source = conns::BpfSource::attach(*ports);
  if (!source.ok()) return source.error();
  auto seeded = (*source)->seed();
  if (!seeded.ok()) return seeded.error();
  conns::Counts counts;
  (*source)->fill(counts);
  counts.why = "counted by this command";
  return conns::report(counts, (*source)->top_clients(conns::kMaxRows), by, options.port);
}

base::Result<json::object> count_by_diagnostics(const Options& options, conns::By by,
                                                const std::string& why) {
  const auto ports = ports_of(options);
  if (!ports.ok()) return ports.error();
  auto source = conns::DiagSource::create(*ports);
  if (!source.ok()) return source.error();
  const base::Instant now = base::SystemClock().now();
  auto counted = source->step_whole(now, true);
  if (!counted.ok()) return counted.error();
  conns::Counts counts;
  source->fill(counts, now);
  conns::DumpQuestion listening;
  listening.states = conns::state_bit(conns::kListen);
  auto listed = conns::dump(listening, [&counts](const conns::SocketRow& row) {
    for (conns::ListenerCounts& listener : counts.listeners) {
      if (listener.port != row.local_port) continue;
      ++listener.states[conns::kListen];
      listener.queue += row.queue;
      listener.queue_limit += row.queue_limit;
      listener.queue_drops += row.drops;
    }
  });
  if (!listed.ok()) return listed.error();
  counts.why = why;
  return conns::report(counts, source->top_clients(conns::kMaxRows), by, options.port);
}

// The kernel keeps no birth date of a connection: this is how long its client has sent nothing, and so
// the age of one that never did.
base::Result<json::object> count_by_age(const Options& options) {
  struct Age {
    const char* name;
    uint32_t below_ms;
    uint64_t connections = 0;
  };
  std::array<Age, 6> ages{{{"under 1s", 1'000},
                           {"1s to 10s", 10'000},
                           {"10s to 1m", 60'000},
                           {"1m to 10m", 600'000},
                           {"10m to 1h", 3'600'000},
                           {"over 1h", UINT32_MAX}}};
  const auto ports = ports_of(options);
  if (!ports.ok()) return ports.error();
  conns::DumpQuestion question;
  for (const conns::WatchedPort& watched : *ports) question.ports.insert(watched.port);
  question.states = conns::state_bit(conns::kEstablished);
  question.info = true;
  if (!question.ports.empty()) {
    auto done = conns::dump(question, [&ages](const conns::SocketRow& row) {
      for (Age& age : ages) {
        if (row.quiet_ms > age.below_ms) continue;
        ++age.connections;
        return;
      }
    });
    if (!done.ok()) return done.error();
  }
  conns::Counts counts;
  counts.source = conns::SourceKind::kDiagnostics;
  counts.known = true;
  counts.why = "ages are read by this command; they count from the client's last data";
  json::object answer = conns::report(counts, {}, conns::By::kState, options.port);
  json::array rows;
  for (const Age& age : ages) {
    if (age.connections == 0) continue;
    rows.push_back(json::object{{"age", age.name}, {"connections", age.connections}});
  }
  answer["by"] = "age";
  answer["rows"] = std::move(rows);
  return answer;
}

base::Result<json::object> count_here(const Options& options, const std::string& why) {
  const auto by = conns::parse_by(options.by);
  auto counted = !by                       ? count_by_age(options)
                 : options.source == "bpf" ? count_by_events(options, *by)
                                           : count_by_diagnostics(options, *by, why);
  if (!counted.ok()) return counted;
  (*counted)["time_wait"] = conns::time_wait_total();
  return counted;
}

int count_connections(const Context& context, const Options& options) {
  const Render render = [](const json::value& value, const View& view) {
    return connections_view(as_object(value), view);
  };
  std::string why = "counted by this command";
  if (options.source == "agent" && options.by != "age") {
    const std::string query = "/api/v1/conns?by=" + options.by +
                              (options.port == 0 ? "" : "&port=" + std::to_string(options.port));
    const auto api = connect(context);
    const auto answer = api.ok() ? api->get(query) : base::Result<json::value>(api.error());
    if (answer.ok()) return print_value(context, *answer, render);
    // An agent that was named, or that answers but refuses, is not passed over.
    const bool absent = answer.code() == base::ErrorCode::kUnavailable ||
                        answer.code() == base::ErrorCode::kNotFound;
    if (!absent || !context.endpoint.url.empty()) return report(answer.error());
    why = "no agent answers here, so counted by this command";
  } else if (!context.endpoint.url.empty()) {
    return report(base::Error(base::ErrorCode::kInvalid,
                              "--url asks an agent; --by age and --source count on this machine"));
  }
  const auto counted = count_here(options, why);
  if (!counted.ok()) return report(counted.error());
  return print_value(context, json::value(*counted), render);
}

}  // namespace

void add_conns_verb(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(
      app, context, "conns",
      "TCP connections to this machine's listeners, counted by the kernel; without an agent the "
      "command counts by itself",
      {"conns", "conns --by client", "conns --by state --port 11211", "conns --by age"},
      [&context, options] { return count_connections(context, *options); });
  verb->add_option("--by", options->by,
                   "state, client, port or age (how long the client has sent nothing)")
      ->check(CLI::IsMember({"state", "client", "port", "age"}));
  verb->add_option("--port", options->port, "only connections to this port")
      ->check(CLI::Range(1, 65535));
  verb->add_option("--source", options->source,
                   "agent: what it counts, if there is one; diagnostics: count now, no rights "
                   "needed; bpf: count now by the kernel's events (CAP_BPF, CAP_PERFMON)")
      ->check(CLI::IsMember({"agent", "diagnostics", "bpf"}));
  add_read_options(*verb, context);
}

}  // namespace cli
