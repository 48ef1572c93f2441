// How soon the outage's shift is found: 10 to 20 % of the requests from a fraction of a millisecond to 5
// to 15 ms, on all nodes of a cluster or at one member, in a fleet of twelve nodes and in a region of two.
//
//   shift_delay [RUNS [SEED]]     default 20 runs of each
//
// A cluster of as many proxies and backends, with 1,000 requests a second for each of twelve nodes, or for both
// of two together, on virtual time, with the machines' short pauses and with proxies that have a core whenever
// they want one. Each run is a new cluster that has learned for a minute. Prints one line
// per figure, `name ours peer ratio bound ok|short`, and exits 1 when one is short: seconds from the
// fault until an incident of the right type and scope is open, and the share of runs in which it was
// the only one five seconds later.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::Incident;

struct Size {
  const char* name;
  int nodes;
  double requests;  // a second, of a node
};
constexpr Size kFleet{"fleet", 12, 1000}, kRegion{"region", 2, 500};
constexpr double kMissed = 60;  // seconds, for a fault that is not found

struct Outcome {
  double seconds = kMissed;
  bool right = false;
};

using Fault = std::function<double(size_t proxy, size_t backend)>;

Outcome run(const Size& size, uint64_t seed, const Fault& fault,
            const agent::incident::Scope& scope) {
  test::WorldOptions options;
  options.seed = seed;
  options.proxies = options.backends = size.nodes;
  options.rate = size.requests / size.nodes;
  test::World world(options);
  // Faults do not wait for a second to begin.
  world.run_for(60s + 100ms * static_cast<int64_t>(seed % 10));
  world.cluster("amber").slow_on = fault;
  const auto is_found = [&] {
    const Incident* const only = world.only_incident();
    return only != nullptr && only->state != agent::incident::State::kSuspected &&
           only->type == agent::incident::Type::kNetworkDegraded && only->scope == scope;
  };
  Outcome outcome;
  const auto after = world.run_until(is_found, 20s);
  if (!after) return outcome;
  outcome.seconds = base::to_seconds(*after);
  world.run_for(5s);
  outcome.right = is_found();
  return outcome;
}

bool say(const std::string& name, double ours, double bound, bool at_least = false) {
  const bool ok = at_least ? ours >= bound : ours <= bound;
  std::printf("%s %.3f - - %.2f %s\n", name.c_str(), ours, bound, ok ? "ok" : "short");
  return ok;
}

bool measure(const std::string& name, const Size& size, int runs, uint64_t seed, const Fault& fault,
             const agent::incident::Scope& scope, double median_bound) {
  std::vector<double> delays;
  int right = 0;
  for (int i = 0; i < runs; ++i) {
    const Outcome outcome = run(size, seed + static_cast<uint64_t>(i), fault, scope);
    delays.push_back(outcome.seconds);
    right += outcome.right;
  }
  std::sort(delays.begin(), delays.end());
  const auto at = [&](double share) {
    return delays[static_cast<size_t>(share * static_cast<double>(delays.size() - 1))];
  };
  bool ok = say(name + "_seconds_median", at(0.5), median_bound);
  ok &= say(name + "_seconds_95", at(0.95), 2);
  ok &= say(name + "_right_share", static_cast<double>(right) / runs, 0.98, true);
  return ok;
}

bool measure_all(const Size& size, int runs, uint64_t seed) {
  constexpr double kShare = 0.15;
  const std::string prefix = std::string("shift_in_") + size.name;
  agent::incident::Scope everywhere;
  everywhere.cluster = "amber";
  bool ok = measure(
      prefix, size, runs, seed, [](size_t, size_t) { return kShare; }, everywhere, 0.5);
  agent::incident::Scope node = everywhere;
  node.proxy = "amber-proxy-2";
  ok &= measure(
      prefix + "_of_one_node", size, runs, seed,
      [](size_t proxy, size_t) { return proxy == 1 ? kShare : 0; }, node, 1);
  agent::incident::Scope backend = everywhere;
  backend.backend = "amber-backend-2";
  ok &= measure(
      prefix + "_of_one_backend", size, runs, seed,
      [](size_t, size_t b) { return b == 1 ? kShare : 0; }, backend, 1);
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 20;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  if (runs < 1) {
    std::fprintf(stderr, "usage: shift_delay [RUNS [SEED]], with RUNS at least 1\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  bool ok = measure_all(kFleet, runs, seed);
  ok &= measure_all(kRegion, runs, seed);
  return ok ? 0 : 1;
}
