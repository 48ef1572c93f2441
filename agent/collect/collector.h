// Collector: the agent's eyes. Produces the series of series/sample.h and keeps a Snapshot.
//
// Idea: nothing is asked of a proxy that it could refuse. Figures come from its shared memory, from
// the kernel, from processes' ends and from probing the data path as a client would. Each source
// has its own pace and a budget: telemetry 100 ms (histograms once a second, only cells of backends
// in use), connections 1 s (counted by agent/conns), canaries 500 ms, probes as backend_probes.h says,
// proxies' processes 1 s
// and backends' 5 s, memcached's items and bytes 10 s. As the host fills up, or the agent exceeds its own
// budget, the paces become slower (brown_out.h).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/action/canary.h"
#include "agent/collect/brown_out.h"
#include "agent/collect/snapshot.h"
#include "agent/conns/source.h"
#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "agent/series/sample.h"
#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::collect {

class BackendProbes;
class ProxyTelemetry;
class ProcessReader;
class HostReader;
class OwnReader;

// What the collector looks at; all outlive it.
struct View {
  boost::asio::any_io_executor executor;
  coord::Region& region;
  const coord::TableJournal& journal;
  coord::BackendControl& backends;
  action::Canary& canary;
  conns::ConnectionSource& connections;
  base::Timers& timers;
  base::Gate& gate;
};

// What of the region is counted: every proxy's and backend's listeners by their address.
std::vector<conns::WatchedPort> watched_ports(const coord::RegionSpec& spec);

// Thread: the control thread's. Owner: app.
class Collector {
 public:
  using Sink = std::function<void(const std::vector<series::Sample>&)>;
  Collector(const View& view, Sink sink);
  ~Collector();

  // Starts the tickers; they end when the gate is closed.
  void start();
  // The provider's news, turned into proxy_exited / backend_exited at once.
  void on_process(std::string_view id, bool running);

  // Whether a proxy is alive and as its last answer said, by its telemetry: without a call.
  bool shows(std::string_view proxy, const coord::ProxyStatus& known) const;
  const Snapshot& snapshot() const { return snapshot_; }
  // As the brown-out has it now.
  const Pace& pace() const { return brown_out_.pace(); }
  std::string snapshot_json() const;
  conns::ConnectionSource& connections() { return view_.connections; }

 private:
  boost::asio::awaitable<void> telemetry_loop();
  boost::asio::awaitable<void> connection_loop();
  boost::asio::awaitable<void> process_loop();
  boost::asio::awaitable<void> stats_loop();
  boost::asio::awaitable<void> canary_loop(std::string proxy);
  void count_connections();
  void tell_clients(const conns::Counts& counts, const std::map<std::string, std::string>& proxies,
                    std::vector<series::Sample>& out) const;
  void measure(base::Instant now, std::vector<series::Sample>& out);
  void tell_room(std::vector<series::Sample>& out) const;
  void tell_certificates(std::vector<series::Sample>& out) const;
  void emit_ends(std::vector<series::Sample>& out) const;
  void read_members(base::Instant now);
  void judge_burden(base::Instant now);
  series::Sample sample(const char* name, const coord::Process& member, double value) const;

  View view_;
  Sink sink_;
  Snapshot snapshot_;
  std::map<std::string, std::unique_ptr<ProxyTelemetry>, std::less<>> telemetry_;
  std::map<std::string, std::unique_ptr<ProcessReader>, std::less<>> processes_;
  std::map<std::string, uint64_t> canary_requests_;  // by proxy, since the last measuring
  std::unique_ptr<BackendProbes> probes_;
  std::unique_ptr<HostReader> host_;
  std::unique_ptr<OwnReader> own_;
  BrownOut brown_out_;
  base::Instant next_backends_;  // when their processes are read
  base::Duration late_{0};       // of the telemetry's wake-ups since the last look at the burden
  int wake_ups_ = 0;
  base::Duration mean_late_{0};  // of the last second that had any
};

}  // namespace agent::collect
