// Collector: the agent's eyes. Produces the series of series/sample.h and keeps a Snapshot.
//
// Idea: nothing is asked of a proxy that it could refuse. Figures come from its shared memory, from
// the kernel, from processes' ends and from probing the data path as a client would. Each source
// has its own pace and a budget: telemetry 100 ms (histograms once a second, only cells of backends
// in use), sockets 1 s (paced so that dumps take at most kSocketShare of a core), canary and probe
// 500 ms, processes 1 s, memcached's items and bytes 10 s.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/action/canary.h"
#include "agent/collect/snapshot.h"
#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "agent/series/sample.h"
#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::collect {

class ProxyTelemetry;
class SocketCounter;
class ProcessReader;
class HostReader;

// What the collector looks at; all outlive it.
struct View {
  boost::asio::any_io_executor executor;
  coord::Region& region;
  const coord::TableJournal& journal;
  coord::BackendControl& backends;
  action::Canary& canary;
  base::Timers& timers;
  base::Gate& gate;
};

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

  const Snapshot& snapshot() const { return snapshot_; }
  std::string snapshot_json() const;
  enum class By { kState, kClient, kPort };
  // A fresh count of connections; `port` 0: all ports of the region. At most 100 rows, largest
  // first.
  boost::asio::awaitable<base::Result<std::vector<ConnectionRow>>> connections(By by,
                                                                               uint16_t port);

 private:
  boost::asio::awaitable<void> telemetry_loop();
  boost::asio::awaitable<void> socket_loop();
  boost::asio::awaitable<void> process_loop();
  boost::asio::awaitable<void> stats_loop();
  boost::asio::awaitable<void> canary_loop(std::string proxy);
  boost::asio::awaitable<void> probe_loop(std::string backend);
  boost::asio::awaitable<base::Result<>> count_sockets();
  void measure(base::Instant now, std::vector<series::Sample>& out);
  void emit_ends(std::vector<series::Sample>& out) const;
  series::Sample sample(const char* name, const coord::Process& member, double value) const;
  std::set<uint16_t> ports() const;

  View view_;
  Sink sink_;
  Snapshot snapshot_;
  bool ipv6_ = false;
  std::map<std::string, std::unique_ptr<ProxyTelemetry>, std::less<>> telemetry_;
  std::map<std::string, std::unique_ptr<ProcessReader>, std::less<>> processes_;
  std::unique_ptr<ProcessReader> self_;
  std::unique_ptr<SocketCounter> sockets_;
  std::unique_ptr<HostReader> host_;
};

}  // namespace agent::collect
