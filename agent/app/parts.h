// What the agent consists of: two structs, in the order in which their members are built.
//
// Foundation is what can fail before anything runs (files, lock, store); Parts is what is built
// upon it and cannot fail. The functions of Parts are the wiring: what one room says to another.
#pragma once

#include <prometheus/metric_family.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/action/actions.h"
#include "agent/action/backend_client.h"
#include "agent/action/canary.h"
#include "agent/action/process_provider.h"
#include "agent/action/proxy_client.h"
#include "agent/admin/operator.h"
#include "agent/app/app.h"
#include "agent/app/facts.h"
#include "agent/app/self_restraint.h"
#include "agent/app/watch.h"
#include "agent/collect/collector.h"
#include "agent/conns/watch.h"
#include "agent/coord/coordinator.h"
#include "agent/mesh/mesh.h"
#include "agent/publish/publisher.h"
#include "agent/record/recorder.h"
#include "agent/rule/detector.h"
#include "agent/store/sqlite_store.h"
#include "agent/web/operator_web.h"
#include "base/net/fd.h"
#include "base/net/http.h"
#include "base/net/rpc.h"

namespace agent::app {

struct Foundation {
  AppOptions options;
  base::Clock& clock;
  coord::RegionSpec spec;
  base::net::UniqueFd lock;
  base::Secret token;
  rule::RuleSet rules;
  std::vector<runbook::SourceText> runbooks;
  runbook::SourceText policy;
  std::optional<coord::SecretBox> box;

  boost::asio::io_context io{1};
  // Each writes alone: a disk that stands still for one stops nothing of the other.
  boost::asio::thread_pool page_disk{1};
  boost::asio::thread_pool record_disk{1};
  base::AsioTimers timers;
  std::unique_ptr<store::SqliteStore> store;

  Foundation(AppOptions o, coord::RegionSpec s, base::Clock& c)
      : options(std::move(o)), clock(c), spec(std::move(s)), timers(io.get_executor(), c) {}
};

// Thread: the control thread's. Owner: App.
struct App::Parts {
  explicit Parts(std::unique_ptr<Foundation> built_upon);
  ~Parts();

  // Wiring, in app.cc.
  boost::asio::awaitable<void> live();
  boost::asio::awaitable<base::Result<>> start();
  boost::asio::awaitable<void> stop();
  boost::asio::awaitable<void> wait_signals();
  boost::asio::awaitable<void> keep_region_file();
  void begin_stop(bool processes_too, int exit_status);
  void on_process(const action::ProcessEvent& event);
  base::Result<> load_runbooks();
  void reload();
  base::Result<> listen();
  base::Result<> ready() const;
  // Whether every proxy that runs and answers has been measured.
  bool is_measured();

  // What is told outside, in telling.cc.
  // False: it is to be tried again.
  bool write_region_file();
  uint64_t described_changes();
  std::optional<publish::PageModel> build_page();
  void begin_counters();
  std::vector<prometheus::MetricFamily> metrics();
  boost::asio::awaitable<base::Result<boost::json::value>> answer(base::net::RpcRequest request);
  boost::asio::awaitable<base::Result<boost::json::value>> flush_for_client(
      boost::json::object args);

  std::unique_ptr<Foundation> ground;
  boost::asio::any_io_executor executor;
  base::Timers& timers;
  base::Instant started;
  base::Gate gate;
  boost::asio::signal_set signals;

  coord::Region region;
  action::ProxyClient proxies;
  action::BackendClient backends;
  action::ProcessProvider provider;
  coord::Coordinator coordinator;
  action::Canary canary;
  web::AgentCounters counters;
  rule::Detector detector;
  incident::IncidentBook book;
  incident::Alerts alerts;
  record::Recorder recorder;
  Watch watch;
  std::unique_ptr<conns::Watch> connections;
  collect::Collector collector;
  mesh::Mesh mesh;
  RegionFacts facts;
  runbook::ActionRegistry actions;
  runbook::Engine engine;
  SelfRestraint restraint;
  admin::Operator admin;
  publish::PagePublisher publisher;
  web::OperatorWeb web;
  std::unique_ptr<base::net::HttpServer> http;
  std::unique_ptr<base::net::RpcServer> socket;

  std::optional<publish::PageModel> page;  // as last built
  std::string region_text;                 // as last written to region.json
  uint64_t region_changes = 0;             // described_changes() then; 0: not yet written
  bool was_ready = false;
  bool stopping = false;
  bool stop_processes = false;
  bool runs_left = false;   // the engine did not stop in time
  bool disk_stuck = false;  // the recording's
  int status = 0;
};

}  // namespace agent::app
