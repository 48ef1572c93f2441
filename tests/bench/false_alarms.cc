// False alarms over simulated days: how often the rules say something about nodes on which nothing is
// wrong, though much happens: a load with day and night that doubles at once, a nightly batch, garbage
// collections and one pause of seconds, connections and requests that come and go with deployments.
//
//   false_alarms [DAYS [SEED]]     of two clusters with two proxies each: four node-days a day
//
// Prints each false alarm, and one line per figure; exits 1 when the rate is above its bound. The bound
// of the rate is the upper one of a Poisson law at 95 %.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;

constexpr int kNodes = 4;
constexpr double kMostPerNodeDay = 0.25;  // what a few days can show at 95 %

// The largest rate at which so few would still be seen in one of twenty trials.
double upper_bound(int seen, double node_days) {
  double low = 0, high = 10.0 * (seen + 3);
  for (int i = 0; i < 60; ++i) {
    const double mean = (low + high) / 2;
    double term = std::exp(-mean), sum = term;
    for (int k = 1; k <= seen; ++k) sum += term *= mean / k;
    (sum > 0.05 ? low : high) = mean;
  }
  return high / node_days;
}

class Day {
 public:
  explicit Day(uint64_t seed) : world_(options(seed)), random_(seed) {}

  // The day's false alarms.
  int live() {
    for (int minute = 0; minute < 24 * 60; ++minute) {
      happen(minute);
      world_.run_for(1min);
    }
    std::printf("%s", world_.story().c_str());
    return static_cast<int>(world_.incident_count());
  }

 private:
  static test::WorldOptions options(uint64_t seed) {
    test::WorldOptions wanted;
    wanted.seed = seed;
    wanted.clients = true;
    wanted.background = 0.001;
    wanted.descriptors = 1000;  // more than half in use: each rise could be the one that fills it
    return wanted;
  }

  void happen(int minute) {
    const double hour = minute / 60.0;
    const bool batch = hour >= 2 && hour < 2.5;
    const bool doubled = hour >= 14 && hour < 15;
    const double rate = 20 + 15 * std::sin((hour - 9) / 24 * 2 * 3.14159);
    for (const char* name : {"amber", "birch"}) {
      auto& cluster = world_.cluster(name);
      cluster.rate = rate * (batch ? 6 : 1) * (doubled ? 2 : 1);
      if (minute % 240 == 97) deploy(cluster);
    }
    if (minute == 11 * 60 + 7) world_.pause(3s);
    if (minute % 90 == 13) world_.pause(800ms);
  }

  // Clients are replaced by new ones, with other addresses and some more connections; for three
  // seconds hardly any asks for anything.
  void deploy(test::World::Cluster& cluster) {
    ++deployments_;
    cluster.request_share = 0.1;
    world_.run_for(3s);
    cluster.request_share = 1;
    for (auto& proxy : cluster.proxies) {
      proxy.clients.clear();
      for (int i = 1; i <= 10; ++i) {
        const std::string address =
            "10." + std::to_string(deployments_) + ".0." + std::to_string(i);
        proxy.clients[address] = 25 + static_cast<double>(random_() % 20);
      }
    }
  }

  test::World world_;
  std::mt19937_64 random_;
  int deployments_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const int days = argc > 1 ? std::atoi(argv[1]) : 4;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  int seen = 0;
  for (int day = 0; day < days; ++day) seen += Day(seed + static_cast<uint64_t>(day)).live();
  const double node_days = days * kNodes;
  const double bound = upper_bound(seen, node_days);
  const bool ok = bound <= kMostPerNodeDay;
  std::printf("%d false alarms in %.0f node-days\n", seen, node_days);
  std::printf("false_alarms_per_node_day_95 %.3f %.3f %.2f 1.00 %s\n", bound, kMostPerNodeDay,
              bound / kMostPerNodeDay, ok ? "ok" : "short");
  return ok ? 0 : 1;
}
