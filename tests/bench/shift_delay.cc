// How soon the outage's shift is found in a fleet of twelve nodes: 10 to 20 % of the requests from a
// fraction of a millisecond to 5 to 15 ms, on all nodes of a cluster or on one.
//
//   shift_delay [RUNS [SEED]]     default 20 runs of each
//
// A cluster of twelve proxies and twelve backends at 1,000 requests a second each, on virtual time, with
// the machines' short pauses. Each run is a new fleet that has learned for a minute. Prints one line
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

constexpr int kNodes = 12;
constexpr double kRequestsPerSecond = 1000;  // of a node
constexpr double kMissed = 60;               // seconds, for a fault that is not found

struct Outcome {
  double seconds = kMissed;
  bool right = false;
};

using Fault = std::function<double(size_t proxy, size_t backend)>;

Outcome run(uint64_t seed, const Fault& fault, const agent::incident::Scope& scope) {
  test::WorldOptions options;
  options.seed = seed;
  options.proxies = options.backends = kNodes;
  options.rate = kRequestsPerSecond / kNodes;
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

bool measure(const std::string& name, int runs, uint64_t seed, const Fault& fault,
             const agent::incident::Scope& scope, double median_bound) {
  std::vector<double> delays;
  int right = 0;
  for (int i = 0; i < runs; ++i) {
    const Outcome outcome = run(seed + static_cast<uint64_t>(i), fault, scope);
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

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 20;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  if (runs < 1) {
    std::fprintf(stderr, "usage: shift_delay [RUNS [SEED]], with RUNS at least 1\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  constexpr double kShare = 0.15;
  agent::incident::Scope fleet;
  fleet.cluster = "amber";
  bool ok = measure(
      "shift_of_a_fleet", runs, seed, [](size_t, size_t) { return kShare; }, fleet, 0.5);
  agent::incident::Scope node = fleet;
  node.proxy = "amber-proxy-3";
  ok &= measure(
      "shift_of_one_node", runs, seed, [](size_t proxy, size_t) { return proxy == 2 ? kShare : 0; },
      node, 1);
  agent::incident::Scope backend = fleet;
  backend.backend = "amber-backend-5";
  ok &= measure(
      "shift_of_one_backend", runs, seed, [](size_t, size_t b) { return b == 4 ? kShare : 0; },
      backend, 1);
  return ok ? 0 : 1;
}
