// App: the whole proxy, put together. The only place that names every concrete type.
//
// start() opens what can fail (directory, segment, sockets) before any thread runs, so that a start
// that cannot succeed says one sentence and leaves nothing behind. run() is the admin thread.
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
#include "proxy/admin/state_dir.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/config/config.h"
#include "proxy/frontend/worker.h"
#include "proxy/tenant/accounts.h"

namespace proxy {

// Thread: admin (the one that calls run()). Owner: main or a test.
class App final : public admin::Lifecycle {
 public:
  // `config_path` is read again on SIGHUP; empty: never.
  App(ProxyConfig config, std::string config_path);
  ~App() override;
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  base::Result<> start();
  // Until SIGTERM, SIGINT or `quit`; drains first.
  void run();
  void quit() override;

 private:
  base::Result<> start_parts();
  base::Result<> open_workers(const World& world);
  base::Result<> open_admin();
  void listen_for_signals();
  void await_signal();
  void reload();
  boost::asio::awaitable<void> shut_down();
  boost::asio::awaitable<base::net::HttpResponse> answer_http(base::net::HttpRequest request);

  ProxyConfig config_;
  const std::string config_path_;
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
  TlsContextPtr tls_;     // null without a TLS port
  std::optional<admin::Flushes> flushes_;
  std::optional<admin::Control> control_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<base::net::RpcServer> rpc_;
  std::unique_ptr<base::net::HttpServer> http_;
  base::net::SocketFile unix_file_;  // of listen.unix, while it is ours
  bool stopping_ = false;
};

}  // namespace proxy
