// mcguard bench: what a proxy serves, how fast, and what a request costs it in CPU.
#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>

#include "cli/load/load.h"
#include "cli/load/process_cpu.h"
#include "cli/output/format.h"
#include "cli/output/table.h"
#include "cli/region/places.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;

struct BenchOptions {
  LoadOptions load;
  std::vector<std::string> servers;
  std::string password_file;
  std::vector<pid_t> pids;  // whose CPU is counted
  std::string set_share = "0";
  std::string warmup = "1s", duration = "10s", give_up = "5s", interval = "0";
  bool no_fill = false;
  bool tls = false;
};

base::Error usage(const std::string& why) {
  return base::Error(base::ErrorCode::kInvalid, why, base::Origin::kClient);
}

// Servers, login and processes of the region in the directory, for what was not given.
base::Result<> fill_from_region(BenchOptions& options, const std::string& dir) {
  const auto text = read_region_json(Places(dir), "name servers with --server");
  if (!text) return text.error();
  json::error_code failed;
  const json::value parsed = json::parse(*text, failed);
  if (failed || !parsed.is_object()) return usage(dir + "/region.json: not a JSON object");
  const json::object& region = parsed.get_object();
  const json::object& cache = object_of(region, "cache");
  const std::string servers = text_of(cache, "servers");
  for (const json::value& entry : list_of(region, "clusters")) {
    const json::object& cluster = entry.as_object();
    for (const json::value& item : list_of(cluster, "proxies")) {
      const json::object& proxy = item.as_object();
      const std::string address = text_of(proxy, "address") + ":" +
                                  std::to_string(static_cast<int>(number_of(proxy, "port")));
      if (servers.find(address) == std::string::npos) continue;
      const auto tls_port = static_cast<int>(number_of(proxy, "tls_port"));
      if (options.tls && tls_port == 0) return usage("the region's proxies have no TLS port");
      options.servers.push_back(
          options.tls ? text_of(proxy, "address") + ":" + std::to_string(tls_port) : address);
      options.pids.push_back(static_cast<pid_t>(number_of(proxy, "pid")));
    }
  }
  options.load.user = text_of(cache, "username");
  options.load.password = base::Secret(text_of(cache, "password"));
  return base::Done{};
}

base::Result<> read_options(BenchOptions& options, const std::string& dir) {
  const auto share =
      options.set_share == "0" ? std::optional<double>(0.0) : parse_share(options.set_share);
  const auto warmup = parse_duration(options.warmup);
  const auto duration = parse_duration(options.duration);
  if (!share) return usage("--set-share " + options.set_share + ": expected 0, 10% or 0.1");
  if (!warmup) return usage("--warmup " + options.warmup + ": expected a duration such as 1s");
  if (!duration || duration->count() == 0) {
    return usage("--duration " + options.duration + ": expected a duration such as 10s");
  }
  const auto give_up = parse_duration(options.give_up);
  if (!give_up || give_up->count() == 0) {
    return usage("--give-up " + options.give_up + ": expected a duration such as 5s");
  }
  options.load.give_up = *give_up;
  if (options.interval != "0") {
    const auto interval = parse_duration(options.interval);
    if (!interval || *interval < std::chrono::milliseconds(1)) {
      return usage("--interval " + options.interval + ": expected a duration such as 100ms");
    }
    options.load.interval = *interval;
  }
  options.load.set_share = *share;
  options.load.warmup = *warmup;
  options.load.duration = *duration;
  options.load.fill = !options.no_fill;
  if (options.servers.empty()) {
    auto filled = fill_from_region(options, dir);
    if (!filled) return filled;
  }
  if (!options.password_file.empty()) {
    std::ifstream file(options.password_file);
    std::string password;
    if (!std::getline(file, password)) return usage("cannot read " + options.password_file);
    options.load.password = base::Secret(std::move(password));
  }
  for (const std::string& text : options.servers) {
    auto server = parse_server(text);
    if (!server) return server.error();
    server->tls = options.tls;
    options.load.servers.push_back(std::move(*server));
  }
  return base::Done{};
}

base::Duration cpu_of(const std::vector<pid_t>& pids) {
  base::Duration sum{0};
  for (const pid_t pid : pids) {
    if (const auto used = process_cpu(pid)) sum += *used;
  }
  return sum;
}

json::object to_json(const LoadReport& report, base::Duration cpu, bool has_cpu) {
  const auto seconds = [](base::Duration d) { return base::to_seconds(d); };
  const Latencies& latencies = report.latencies;
  json::object object{{"requests", report.requests},
                      {"seconds", seconds(report.took)},
                      {"requests_per_second", report.per_second()},
                      {"hits", report.hits},
                      {"errors", report.errors},
                      {"connects", report.connects},
                      {"last_error", report.last_error},
                      {"latency_seconds", json::object{{"mean", seconds(latencies.mean())},
                                                       {"p50", seconds(latencies.at(0.5))},
                                                       {"p90", seconds(latencies.at(0.9))},
                                                       {"p99", seconds(latencies.at(0.99))},
                                                       {"p99_9", seconds(latencies.at(0.999))},
                                                       {"max", seconds(latencies.longest())}}}};
  if (has_cpu && report.requests > 0) {
    object["server_cpu_seconds"] = seconds(cpu);
    object["server_cpu_microseconds_per_request"] =
        seconds(cpu) * 1e6 / static_cast<double>(report.requests);
  }
  if (!report.series.empty()) {
    object["began_monotonic_seconds"] = static_cast<double>(report.began.ns) / 1e9;
    object["series"] = json::array(report.series.begin(), report.series.end());
  }
  return object;
}

std::string bench_view(const json::value& value, const View& view) {
  const json::object& report = value.as_object();
  const json::object& latency = object_of(report, "latency_seconds");
  std::string out = format_count(number_of(report, "requests_per_second")) + " requests/s  (" +
                    format_count(number_of(report, "requests")) + " in " +
                    format_number(std::round(number_of(report, "seconds") * 10) / 10) + " s, " +
                    format_count(number_of(report, "hits")) + " hits, " +
                    format_count(number_of(report, "errors")) + " errors)\n";
  Table table({"MEAN", "P50", "P90", "P99", "P99.9", "MAX"});
  std::vector<Cell> row;
  for (const char* name : {"mean", "p50", "p90", "p99", "p99_9", "max"}) {
    row.push_back(number_cell(format_latency(number_of(latency, name))));
  }
  table.add(std::move(row));
  out += "\n" + table.render(view.terminal);
  if (report.contains("server_cpu_microseconds_per_request")) {
    char text[64];
    std::snprintf(text, sizeof text, "\n%.2f µs of CPU per request in the proxies\n",
                  number_of(report, "server_cpu_microseconds_per_request"));
    out += text;
  }
  const std::string last = text_of(report, "last_error");
  if (!last.empty()) out += "\nlast error: " + last + "\n";
  return out;
}

int run_bench(const Context& context, BenchOptions options) {
  auto ready = read_options(options, context.endpoint.dir);
  if (!ready) return report(ready.error());
  const base::SystemClock clock;
  base::Duration before{0}, after{0};
  LoadMoments moments;
  moments.warm = [&] { before = cpu_of(options.pids); };
  moments.done = [&] { after = cpu_of(options.pids); };
  auto done = run_load(options.load, clock, moments);
  if (!done) return report(done.error());
  const json::value value = to_json(*done, after - before, !options.pids.empty());
  const int status = print_value(context, value, bench_view);
  return done->requests == 0 ? int{kFailed} : status;
}

}  // namespace

void add_bench_verb(CLI::App& app, Context& context) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* bench = add_verb(
      app, context, "bench", "send a bounded load and show what it costs",
      {"bench", "bench --depth 16 --set-share 10% --duration 5s",
       "bench --rate 20000 --connections 50   # open loop: latencies from when requests were due",
       "bench --churn --rate 20000 --connections 5000 --give-up 500ms   # a reconnect storm",
       "bench --server 127.0.0.1:11211 --pid 4711"},
      [&context, options] { return run_bench(context, *options); });
  LoadOptions& load = options->load;
  bench->add_option("--dir", context.endpoint.dir, "the region's directory (.mcguard)");
  add_output_option(*bench, context);
  bench->add_option("--server", options->servers,
                    "ADDRESS:PORT or unix:/PATH instead of the region's proxies; may be repeated");
  bench->add_flag("--tls", options->tls, "by TLS; certificates are not verified");
  bench->add_option("--user", load.user, "logs in by a first set");
  bench->add_option("--password-file", options->password_file, "its first line is the password");
  bench->add_option("--pid", options->pids,
                    "a server's process, to count its CPU; may be repeated");
  bench->add_option("--connections", load.connections, "open connections")
      ->check(CLI::Range(1u, 1'000'000u));
  bench->add_option("--busy", load.busy, "of them send requests; default: all");
  bench->add_option("--depth", load.depth, "requests sent at once per connection")
      ->check(CLI::Range(1u, 4096u));
  bench->add_option("--threads", load.threads, "generator threads")->check(CLI::Range(1u, 64u));
  bench->add_option("--keys", load.keys, "different keys")->check(CLI::Range(1u, 100'000'000u));
  bench->add_option("--key-bytes", load.key_bytes, "bytes of a key");
  bench->add_option("--value-bytes", load.value_bytes, "bytes of a value")
      ->check(CLI::Range(0u, 1'000'000u));
  bench->add_option("--keys-per-get", load.keys_per_get, "keys of one get")
      ->check(CLI::Range(1u, 1000u));
  bench->add_option("--set-share", options->set_share, "of the requests, as 10% or 0.1");
  bench
      ->add_option("--rate", load.rate, "requests a second, open loop; default: as fast as it goes")
      ->check(CLI::PositiveNumber);
  bench->add_flag("--churn", load.churn,
                  "a new connection for each request; with --rate so many a second, come what may");
  bench->add_option("--give-up", options->give_up, "on a request without an answer (5s)");
  bench->add_option("--interval", options->interval,
                    "also count the answers of each such interval: series, in json and yaml");
  bench->add_flag("--no-fill", options->no_fill, "do not store the keys first");
  bench->add_option("--warmup", options->warmup, "not measured");
  bench->add_option("--duration", options->duration, "measured");
  bench->add_option("--seed", load.seed, "of its draws");
}

}  // namespace cli
