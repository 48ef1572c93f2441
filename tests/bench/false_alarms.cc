// False alarms over simulated days: how often the rules say something about nodes on which nothing is
// wrong, though much happens: a load with day and night that doubles at once, a nightly batch of large values
// through one proxy with a hot key on one backend, garbage collections, one pause of seconds of the whole
// machine and some of single members, connections and requests that come and go with deployments, a
// rollout that replaces each proxy in turn, nodes that join, an hour in which the load is as much as the proxies
// can do, one client that for half an hour sends more than all others, and hardware that is not the same everywhere.
//
//   false_alarms [DAYS [SEED]]     of two clusters with five proxies and four backends each
//
// On every CPU at once, 35 s a day. Prints each false alarm, and one line per figure; exits 1 when the rate is above its bound. The bound
// of the rate is the upper one of a Poisson law at 95 %.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;

constexpr int kProxies = 5;
constexpr size_t kPreferred = 3;
constexpr double kPreference = 2.5;
constexpr int kNodes = 2 * kProxies;
// What a few days can show at 95 %, and what many must.
constexpr double kMostPerNodeDay = 0.25;
constexpr double kMostOfMany = 0.02;
constexpr double kMany = 250;  // node-days

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
  explicit Day(uint64_t seed) : world_(options(seed)), random_(seed) {
    for (const char* name : kClusters) {
      auto& cluster = world_.cluster(name);
      // Older machines, and clients that prefer one.
      cluster.proxies[1].cost *= 3;
      cluster.proxies[2].p99 *= 4;
      cluster.backends[3].p99 *= 5;
      for (auto& [client, connections] : cluster.proxies[kPreferred].clients) {
        connections *= kPreference;
      }
    }
  }

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
    wanted.proxies = kProxies;
    wanted.backends = 4;
    wanted.clients = true;
    wanted.background = 0.001;
    // More than half in use on the proxy that clients prefer: each rise could be the one that fills it.
    wanted.descriptors = 1500;
    return wanted;
  }

  void happen(int minute) {
    const double hour = minute / 60.0;
    const bool batch = hour >= 2 && hour < 2.5;
    const bool doubled = hour >= 14 && hour < 15;
    const double rate = 20 + 15 * std::sin((hour - 9) / 24 * 2 * 3.14159);
    for (const char* name : kClusters) {
      auto& cluster = world_.cluster(name);
      cluster.rate = rate * (batch ? 6 : 1) * (doubled ? 2 : 1);
      if (minute % 240 == 97) deploy(cluster);
      if (minute == 9 * 60) roll_out(cluster);
      if (minute == 12 * 60) join(cluster);
      if (minute > 12 * 60) find(cluster.proxies.back());
      if (minute % 150 == 45) pause(cluster);
      for (auto& proxy : cluster.proxies) {
        for (auto& [client, commands] : proxy.commands) {
          commands = 15 * rate * (doubled ? 2 : 1);
        }
        proxy.ran = doubled ? 0.97 : 0.2;  // twice the load is as much as they can do
      }
    }
    batch_of_one(world_.cluster("amber"), minute);
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
      const bool preferred = &proxy == &cluster.proxies[kPreferred];
      proxy.clients.clear();
      proxy.commands.clear();
      for (int i = 1; i <= 10; ++i) {
        const std::string address =
            "10." + std::to_string(deployments_) + ".0." + std::to_string(i);
        proxy.clients[address] =
            (25 + static_cast<double>(random_() % 20)) * (preferred ? kPreference : 1);
        proxy.commands[address] = 300;
      }
    }
  }

  // Large values of one cache, from clients of one proxy; for two minutes all want the same key.
  static void batch_of_one(test::World::Cluster& cluster, int minute) {
    const auto times = [&](int at, double& of, double factor) {
      if (minute == at) of *= factor;
    };
    times(2 * 60, cluster.proxies[0].p99, 2.5);
    times(2 * 60, cluster.proxies[0].cost, 2);
    times(2 * 60 + 30, cluster.proxies[0].p99, 1 / 2.5);
    times(2 * 60 + 30, cluster.proxies[0].cost, 0.5);
    times(2 * 60 + 10, cluster.backends[1].p99, 20);
    times(2 * 60 + 12, cluster.backends[1].p99, 0.05);
    // Far more than all others together, which the proxy can do.
    auto& commands = cluster.proxies[0].commands;
    if (minute >= 2 * 60 && minute < 2 * 60 + 30) {
      commands["10.9.9.9"] = 40'000;
      cluster.proxies[0].ran = 0.85;
    } else {
      commands.erase("10.9.9.9");
    }
  }

  // A member that stands still for some seconds: it shows for ten more.
  void pause(test::World::Cluster& cluster) {
    auto& proxy = cluster.proxies[random_() % kProxies];
    auto& backend = cluster.backends[random_() % 4];
    const double p99[] = {proxy.p99, backend.p99};
    proxy.p99 = backend.p99 = 3;
    proxy.failures = backend.failures = 0.2;
    world_.run_for(14s);
    proxy.p99 = p99[0];
    backend.p99 = p99[1];
    proxy.failures = backend.failures = 0.0001;
  }

  // Each proxy is drained and followed by a new process, which its clients greet at once: slow, dear
  // and with some errors at first.
  void roll_out(test::World::Cluster& cluster) {
    for (auto& proxy : cluster.proxies) {
      proxy.draining = true;
      world_.run_for(4s);
      proxy.draining = false;
      const test::World::Proxy before = proxy;
      proxy.p99 *= 10;
      proxy.cost *= 10;
      proxy.failures = 0.01;
      world_.run_for(20s);
      proxy.p99 = before.p99;
      proxy.cost = before.cost;
      proxy.failures = before.failures;
      world_.run_for(40s);
    }
  }

  // A node without clients; they find it within the next hours.
  void join(test::World::Cluster& cluster) {
    auto& proxy = world_.join(cluster);
    const test::World::Proxy later = proxy;
    proxy.p99 *= 3;
    proxy.cost *= 4;
    proxy.failures = 0.02;
    world_.run_for(30s);
    proxy = later;
  }
  void find(test::World::Proxy& proxy) {
    const int clients = static_cast<int>(random_() % 10);
    auto& connections = proxy.clients["10.0.0." + std::to_string(clients + 1)];
    connections = std::min(30.0, connections + 1);
  }

  static constexpr const char* kClusters[] = {"amber", "birch"};
  test::World world_;
  std::mt19937_64 random_;
  int deployments_ = 0;
};

// Lives every `count`th day from the `first` on, and tells each one's false alarms in one write.
[[noreturn]] void live_some(int first, int count, int days, uint64_t seed, int tell) {
  for (int day = first; day < days; day += count) {
    const int seen = Day(seed + static_cast<uint64_t>(day)).live();
    std::fflush(stdout);
    if (::write(tell, &seen, sizeof seen) != sizeof seen) ::_exit(1);
  }
  ::_exit(0);
}

// The days' false alarms, -1 when not all days were lived. Days have nothing to do with each other, so each
// CPU lives some of them in a process of its own.
int live_days(int days, uint64_t seed) {
  int told[2];
  if (::pipe2(told, O_CLOEXEC) != 0) return -1;
  const int processes = std::min(days, static_cast<int>(std::thread::hardware_concurrency()));
  for (int i = 0; i < processes; ++i) {
    const pid_t process = ::fork();
    if (process < 0) return -1;
    if (process > 0) continue;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    live_some(i, processes, days, seed, told[1]);
  }
  ::close(told[1]);
  int seen = 0, lived = 0, of_day = 0;
  while (::read(told[0], &of_day, sizeof of_day) == sizeof of_day) {
    seen += of_day;
    std::fprintf(stderr, "# %d of %d days, %d false alarms\n", ++lived, days, seen);
  }
  ::close(told[0]);
  for (int i = 0; i < processes; ++i) ::wait(nullptr);
  return lived == days ? seen : -1;
}

}  // namespace

int main(int argc, char** argv) {
  const int days = argc > 1 ? std::atoi(argv[1]) : 2;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const int seen = live_days(days, seed);
  if (seen < 0) {
    std::fprintf(stderr, "false_alarms: a process that lived some of the days has ended early\n");
    return 2;
  }
  const double node_days = days * kNodes;
  const double bound = upper_bound(seen, node_days);
  const double most = node_days < kMany ? kMostPerNodeDay : kMostOfMany;
  const bool ok = bound <= most;
  std::printf("%d false alarms in %.0f node-days\n", seen, node_days);
  std::printf("false_alarms_per_node_day_95 %.3f %.3f %.2f 1.00 %s\n", bound, most, bound / most,
              ok ? "ok" : "short");
  return ok ? 0 : 1;
}
