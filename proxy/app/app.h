// App: the whole proxy, put together. The only place that names every concrete type.
//
// start() opens what can fail (directory, segment, sockets) before any thread runs, so that a start
// that cannot succeed says one sentence and leaves nothing behind. run() is the admin thread.
//
// With `take_over` it starts as the successor of a running process: sockets, clients and names come
// from there instead of from nowhere (docs/architecture.md "Handing over").
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/life/life.h"
#include "base/net/http.h"
#include "base/net/rpc.h"
#include "base/net/unix_socket.h"
#include "base/telemetry/segment.h"
#include "base/time/clock.h"
#include "base/time/timers.h"
#include "proxy/admin/control.h"
#include "proxy/admin/flushes.h"
#include "proxy/admin/hand_over.h"
#include "proxy/admin/state_dir.h"
#include "proxy/admin/take_over.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/config/config.h"
#include "proxy/frontend/worker.h"
#include "proxy/tenant/accounts.h"

namespace proxy {

struct AppOptions {
  std::string config_path;  // read again on SIGHUP; empty: never
  std::string take_over;    // control socket of the process to take over from; empty: none
  int lock = -1;            // inherited descriptor that holds the lock of this id; -1: none
};

// Thread: admin (the one that calls run()). Owner: main or a test.
class App final : public admin::Lifecycle {
 public:
  App(ProxyConfig config, AppOptions options);
  ~App() override;
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // What --check looks at beside the file itself: those that it names. kInvalid with a line each.
  static base::Result<> check(const ProxyConfig& config);

  base::Result<> start();
  // Until SIGTERM, SIGINT or `quit`; drains first.
  void run();
  void quit() override;
  base::Result<int64_t> hand_over(const std::string& socket) override;
  bool is_handing_over() const override { return handing_over_; }

 private:
  base::Result<> start_parts();
  base::Result<> open_workers(const World& world);
  base::Result<> open_doors_of(Worker& worker, uint32_t index);
  base::Result<base::net::UniqueFd> open_tcp(handover::Door door, uint16_t& port, uint32_t index);
  base::Result<> open_unix_door();
  base::Result<> let_in(Worker& worker, base::net::UniqueFd fd, const handover::Listening& door);
  void let_in_leftovers();
  base::Result<> take_over();
  base::Result<> open_admin();
  base::Result<> open_control();
  base::Result<> open_metrics();
  std::string metrics_name() const;
  base::Result<> open_new_names();
  base::Result<> claim_names();
  void take_names();
  boost::asio::awaitable<void> keep_claiming_names();
  void listen_for_signals();
  void await_signal();
  void reload();
  boost::asio::awaitable<void> tell_reloaded();
  base::Result<> reload_config();
  base::Result<> load_tls();
  base::Result<> renew_tls(const TlsListener& wanted);
  void warn_of_validity() const;
  int64_t wall_seconds() const;
  void set_rates();
  boost::asio::awaitable<void> shut_down();
  boost::asio::awaitable<void> give_way();
  boost::asio::awaitable<base::net::HttpResponse> answer_http(base::net::HttpRequest request);

  ProxyConfig config_;
  AppOptions options_;
  boost::asio::io_context io_;
  base::SystemClock clock_;
  base::AsioTimers timers_;
  boost::asio::signal_set signals_;
  base::Gate gate_;

  std::unique_ptr<base::telemetry::SegmentWriter> segment_;
  std::unique_ptr<admin::StateDir> state_;
  tenant::Accounts accounts_;
  admission::ConnectionCounts connections_;
  TlsShared tls_shared_;  // outlives every connection, so the workers
  TlsContextPtr tls_;     // null while no TLS port is open
  std::optional<admin::Flushes> flushes_;
  std::optional<admin::Control> control_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<base::net::RpcServer> rpc_;
  std::unique_ptr<base::net::HttpServer> http_;
  base::net::UniqueFd unix_socket_;  // of listen.unix; workers have copies
  base::net::SocketFile unix_file_;  // of listen.unix, while it is ours
  std::vector<handover::Listening> listening_;
  std::vector<int> listening_fds_;  // of listening_; the workers' descriptors
  std::unique_ptr<admin::TakeOver> take_over_;
  std::unique_ptr<admin::HandOver> hand_over_;
  bool handing_over_ = false;
  uint64_t failed_handovers_ = 0;
  bool reloaded_ = true;      // false: the last SIGHUP changed nothing
  bool quit_wanted_ = false;  // while handing over
  bool stopping_ = false;
};

}  // namespace proxy
