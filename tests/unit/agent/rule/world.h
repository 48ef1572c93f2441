// A small region on virtual time: two clusters of proxies and backends that produce the samples the
// collectors would, with seeded noise, and faults that a test switches on and off.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "agent/incident/book.h"
#include "agent/rule/detector.h"
#include "agent/series/recording.h"

namespace test {

using namespace std::chrono_literals;

struct WorldOptions {
  uint64_t seed = 1;
  int proxies = 2;
  int backends = 2;
  double rate = 20;            // requests a second on each link; 20: only the fence reads
  double background = 0.0005;  // share of slow requests in health
  double pauses = 0.05;        // pauses of the whole machine a second
  base::Duration longest_pause = 60ms;
  double descriptors = 100'000;    // that a proxy may have
  bool clients = false;            // produce client_connections
  bool echoes = false;             // and echo_seconds, echo_lost
  base::Duration echo_every = 1s;  // while nobody wants more
};

// Thread: the test's.
class World {
 public:
  explicit World(WorldOptions options);

  struct Proxy {
    agent::series::Label id;
    bool dead = false, stopped = false;
    base::Instant stopped_at;
    double connections = 50;
    std::map<std::string, double> clients;
    std::map<std::string, double> commands;  // a second, by client
    double refused = 0, unqueued = 0;        // a second, at its limits and a backend's queue's
    base::Instant pause_until;
    bool draining = false;
    double failures = 0.0001;         // of its requests
    double p99 = 0.0008;              // seconds, of its requests to backends
    double cost = 40e-6;              // seconds of processor time for a request
    double ran = 0.2, waited = 0.02;  // shares of the time of its busiest worker
    double other_waited = 0;          // of another
    bool tells_waiting = true;        // its kernel does
    std::vector<double> held;         // requests waiting for the end of a pause, by backend
  };
  struct Backend {
    agent::series::Label id;
    bool dead = false, stopped = false;
    base::Instant stopped_at;
    double failures = 0.0001;  // of the proxies' requests to it
    double p99 = 0.0008;       // seconds
  };
  struct Cluster {
    agent::series::Label name;
    std::vector<Proxy> proxies;
    std::vector<Backend> backends;
    double rate = 0;
    double request_share = 1;                                     // of what clients usually send
    double slow_share = 0;                                        // a fault on all links
    std::function<double(size_t proxy, size_t backend)> slow_on;  // or on some
    bool lost = false;                                            // nothing gets through the links
    bool of_members = false;  // what is slow is who answers: echoes are well
  };

  Cluster& cluster(const std::string& name);
  void pause(base::Duration length);  // the whole machine
  // One more proxy, without clients yet. References to the cluster's others hold no longer.
  Proxy& join(Cluster& cluster);
  void kill(Proxy& proxy);
  void stop(Proxy& proxy);
  void stop(Backend& backend);

  // Ten calls to the detector and the book a second.
  void run_for(base::Duration length);
  // Runs until `done` or at most `limit`; how long that took, or nullopt.
  std::optional<base::Duration> run_until(const std::function<bool()>& done, base::Duration limit);

  base::Instant now() const { return now_; }
  agent::incident::Moment moment() const { return {now_, base::WallTime{kWall + now_.ns}}; }
  agent::rule::Detector detector;
  agent::incident::IncidentBook book;
  std::vector<agent::incident::Change> changes;
  std::vector<agent::incident::Verdict> verdicts;  // of the last evaluate
  uint64_t samples = 0;
  // Called with all that the detector is told, before it is told. Empty: nobody listens.
  std::function<void(const agent::series::Event&)> told;

  const agent::incident::Incident* only_incident() const;
  size_t incident_count() const;
  std::string story() const;  // every incident with its timeline, for failure messages

 private:
  static constexpr int64_t kWall = 1'767'225'600'000'000'000;

  void step();
  void observe(const agent::series::Sample& sample);
  void observe(const agent::series::SeriesKey& key, base::Instant at, double value,
               double weight = 1);
  void tell_pace(Cluster& cluster);
  void tell_link(Cluster& cluster, size_t proxy, size_t backend);
  void tell_echoes(const Cluster& cluster);
  void tell_canaries(Cluster& cluster);
  void tell_connections(Cluster& cluster);
  void tell_commands(const Cluster& cluster, const Proxy& proxy);
  void tell_requests(const Cluster& cluster, const Proxy& proxy);
  void tell_window(const Cluster& cluster, const Proxy& proxy);
  void tell_window(const Cluster& cluster, const Backend& backend);
  double noisy(double value);

  WorldOptions options_;
  std::mt19937_64 random_, window_random_, command_random_;
  std::vector<Cluster> clusters_;
  base::Instant now_{1'000'000'000'000};
  base::Instant pause_begin_, pause_end_;
  int64_t steps_ = 0;
};

}  // namespace test
