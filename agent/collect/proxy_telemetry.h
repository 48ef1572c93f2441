// ProxyTelemetry: one proxy's telemetry segment as series and figures.
//
// Every 100 ms it reads what is small (heartbeats, oldest requests, pace slots); once a second it takes the
// counters and histograms of the backends in use and keeps the last ten seconds of them, so that figures
// are differences over that window. Nothing is asked of the proxy. A new process writes a new file: the
// reader follows when the pid in the header is the region's.
//
// A segment counts as read whole unless a worker is stopped in the middle of a turn (its sequence is odd and
// stands still); single cells are atomic, so a busy worker is no reason to doubt them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/collect/client_rates.h"
#include "agent/collect/snapshot.h"
#include "agent/coord/peers.h"
#include "agent/series/sample.h"
#include "base/telemetry/segment.h"
#include "base/time/clock.h"

namespace agent::collect {

inline constexpr size_t kFigureSeconds = 10;

// What a window of requests to one backend looked like.
struct LatencyFigures {
  uint64_t count = 0;
  double p50_seconds = 0;
  double p99_seconds = 0;
  double slow_share = 0;
};
LatencyFigures latency_figures(const base::telemetry::Histogram& latencies);

// Thread: the control thread's. Owner: Collector.
class ProxyTelemetry {
 public:
  ProxyTelemetry(std::string path, const std::string& cluster, const std::string& proxy);

  // The fast round. `pid`: of the process that should be writing; 0: none runs.
  void read(pid_t pid, base::Instant now, std::vector<series::Sample>& out);
  // Whether its process is alive and as its last answer said, by what it shows of itself.
  bool shows(const coord::ProxyStatus& known, base::Instant now) const;
  // The slow round, once a second: figures of the proxy; adds to those of the backends.
  // `canary_requests`: sent by the agent since the last round.
  struct BackendShare {
    uint64_t requests = 0;
    uint64_t failures = 0;
    double seconds = 0;
    base::telemetry::Histogram latencies;  // of its clients' requests
  };
  void measure(base::Instant now, ProxyFigures& figures,
               std::map<std::string, BackendShare>& backends, std::vector<series::Sample>& out,
               uint64_t canary_requests = 0);

 private:
  struct Counters {
    base::Instant at;
    uint64_t requests = 0, failures = 0, opened = 0;
    uint64_t failed = 0;    // of the failures those that clients did not cause
    uint64_t refused = 0;   // likewise the requests at a limit of the proxy's,
    uint64_t unqueued = 0;  // and those for which a backend's queue had no room
    uint64_t canaries = 0;  // of the requests, as told
    double cpu_seconds = 0;
    struct Backend {
      uint64_t requests = 0, failures = 0;
      base::telemetry::Histogram latencies;
    };
    std::vector<Backend> backends;
  };
  // What was last told of how a link stands.
  struct Told {
    base::Instant at;
    bool waits = false;
    double connected = 0;
  };
  static bool is_news(Told& told, base::Instant now, double oldest, double connected);
  void follow(pid_t pid);
  void read_workers(base::Instant now, std::vector<series::Sample>& out);
  void read_backends(base::Instant now, std::vector<series::Sample>& out);
  void read_pace(size_t backend, base::Instant now, std::vector<series::Sample>& out);
  // In `counters`, whose memory is used again.
  void take(base::Instant now, Counters& counters) const;
  // Who sends what, and what of it was refused. Seldom while nobody is busy and nothing is refused.
  void tell_clients(const Counters& latest, std::vector<series::Sample>& out);
  // What is compared between peers, of the whole window.
  void tell_window(const Counters& before, const Counters& latest, const LatencyFigures& latency,
                   std::vector<series::Sample>& out) const;
  void take_latencies(size_t backend, base::telemetry::Histogram& sum) const;
  series::Sample sample(const series::Label& name, base::Instant at, double value,
                        const series::Label& backend = {}) const;

  const std::string path_;
  const series::Label cluster_, proxy_;
  std::unique_ptr<base::telemetry::SegmentReader> reader_;
  pid_t opened_for_ = 0;
  std::vector<series::Label> backend_names_;
  std::vector<Told> told_;           // by backend
  std::vector<uint64_t> sequences_;  // per worker, as last seen
  struct Spent {
    uint64_t at_ns = 0, ran_ns = 0, waited_ns = 0;
  };
  std::vector<Spent> spent_;  // likewise
  double most_wanted_ = 0;    // proxy_busy's weight since the clients were last looked at
  ClientRates clients_;
  uint64_t told_refused_ = 0, told_unqueued_ = 0;  // as of the last look at the clients
  base::Instant looked_at_clients_;
  base::Instant whole_;         // when it was last read whole
  int64_t next_pace_slot_ = 0;  // absolute number; all before were reported
  double heartbeat_age_ = 0, telemetry_age_ = 0;
  std::deque<Counters> history_;  // at most kFigureSeconds, one a second
  Counters spare_;                // that was the oldest; its memory is used again
};

}  // namespace agent::collect
