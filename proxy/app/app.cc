#include "proxy/app/app.h"

#include <fcntl.h>

#include <boost/asio/post.hpp>
#include <csignal>

#include "base/core/file.h"
#include "base/telemetry/exposition.h"
#include "base/telemetry/log.h"
#include "proxy/admin/metrics.h"

namespace proxy {

namespace asio = boost::asio;
using base::Result;

namespace {

constexpr base::Duration kDrainDeadline = std::chrono::seconds(5);
constexpr base::Duration kStopDeadline = std::chrono::milliseconds(500);

Result<> make_parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? Result<>(base::Done{})
                                                  : base::make_directories(path.substr(0, slash));
}

}  // namespace

App::App(ProxyConfig config, std::string config_path)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      timers_(io_.get_executor(), clock_),
      signals_(io_),
      accounts_(config_.workers),
      tls_shared_(clock_) {}

App::~App() {
  for (auto& worker : workers_) worker->stop_and_join();
  if (config_.unix_listen) base::net::remove_socket_file(config_.unix_listen->path, unix_file_);
}

Result<> App::start() {
  const Result<> started = start_parts();
  if (started.ok() || !control_) return started;
  // What already listens has coroutines that must end before it is destroyed.
  quit();
  io_.run();
  return started;
}

Result<> App::start_parts() {
  connections_.set_limits(config_.limits.connections, config_.limits.connections_per_client);
  auto state = admin::StateDir::open(config_.state_dir);
  if (!state) return state.error();
  state_ = std::move(*state);
  auto saved = state_->load();
  if (!saved) return saved.error();
  for (const std::string& damaged : saved->damaged) {
    base::log::error("state_damaged", {{"error", damaged}});
  }
  for (const std::string& path : {config_.telemetry_file, config_.control_socket}) {
    if (const auto made = make_parent(path); !made) return made.error();
  }
  auto segment = base::telemetry::SegmentWriter::create(config_.telemetry_file, config_.id,
                                                        config_.cluster, config_.workers);
  if (!segment) return segment.error();
  segment_ = std::move(*segment);
  flushes_.emplace(io_.get_executor(), timers_, config_.id, config_.agent_socket);
  admin::ControlParts parts{config_, timers_, *segment_, *state_, connections_, *this};
  control_.emplace(parts, std::move(*saved));
  if (config_.tls) {
    auto loaded = TlsContext::load(*config_.tls, tls_shared_);
    if (!loaded) return loaded.error();
    tls_ = std::move(*loaded);
    control_->change_settings(Settings::of(config_, tls_));
  }
  const auto world = control_->world();
  if (!world) return world.error();
  if (const auto opened = open_workers(*world); !opened) return opened.error();
  if (const auto opened = open_admin(); !opened) return opened.error();
  listen_for_signals();
  for (auto& worker : workers_) worker->start();
  base::log::info("started", {{"proxy", config_.id},
                              {"address", config_.listen.address},
                              {"port", config_.listen.port},
                              {"workers", config_.workers}});
  return base::Done{};
}

Result<> App::open_workers(const World& world) {
  std::vector<Worker*> pointers;
  base::net::UniqueFd unix_socket;
  if (config_.unix_listen) {
    auto opened = base::net::listen_unix(config_.unix_listen->path, config_.unix_listen->mode);
    if (!opened) return opened.error();
    unix_socket = std::move(*opened);
    unix_file_ = base::net::socket_file(config_.unix_listen->path);
  }
  for (uint32_t i = 0; i < config_.workers; ++i) {
    WorkerParts parts{i, clock_, segment_->worker(i), accounts_, connections_, *flushes_};
    auto worker = Worker::create(parts, world);
    if (!worker) return worker.error();
    auto plain = open_listening_socket(config_.listen.address, config_.listen.port, i == 0);
    if (!plain) return plain.error();
    if (const auto ok = (*worker)->listen(std::move(*plain), {}); !ok) return ok.error();
    if (config_.tls) {
      auto tls = open_listening_socket(config_.listen.address, config_.tls->port, i == 0);
      if (!tls) return tls.error();
      Entrance entrance;
      entrance.tls = true;
      if (const auto ok = (*worker)->listen(std::move(*tls), entrance); !ok) return ok.error();
    }
    if (config_.open) {
      auto open = open_listening_socket(config_.listen.address, config_.open->port, i == 0);
      if (!open) return open.error();
      const auto ok = (*worker)->listen(std::move(*open), Entrance{config_.open->cache});
      if (!ok) return ok.error();
    }
    if (unix_socket.valid()) {
      base::net::UniqueFd shared(::fcntl(unix_socket.get(), F_DUPFD_CLOEXEC, 0));
      if (const auto ok = (*worker)->listen(std::move(shared), {}); !ok) return ok.error();
    }
    pointers.push_back(worker->get());
    workers_.push_back(std::move(*worker));
  }
  control_->set_workers(std::move(pointers));
  return base::Done{};
}

Result<> App::open_admin() {
  auto rpc = base::net::RpcServer::listen(
      io_.get_executor(), config_.control_socket,
      [this](base::net::RpcRequest request) { return control_->call(std::move(request)); });
  if (!rpc) return rpc.error();
  rpc_ = std::move(*rpc);
  base::net::HttpServer::Options options;
  options.address = config_.metrics.address;
  options.port = config_.metrics.port;
  options.name = "metrics";
  auto http = base::net::HttpServer::listen(
      io_.get_executor(), timers_, std::move(options),
      [this](base::net::HttpRequest request) { return answer_http(std::move(request)); });
  if (!http) return http.error();
  http_ = std::move(*http);
  return base::Done{};
}

asio::awaitable<base::net::HttpResponse> App::answer_http(base::net::HttpRequest request) {
  base::net::HttpResponse response;
  if (request.path == "/metrics") {
    const auto format = base::telemetry::negotiate(request.headers["accept"]);
    response.content_type = std::string(base::telemetry::content_type(format));
    auto families = admin::collect_metrics(*segment_, control_->is_ready(), clock_.now());
    admin::add_tls_metrics(families, tls_shared_.counts, tls_.get());
    response.body = base::telemetry::expose(families, format);
  } else if (request.path == "/-/healthy") {
    response.body = "healthy\n";
  } else if (request.path == "/-/ready") {
    const std::string why = control_->why_not_ready();
    response.status = why.empty() ? 200 : 503;
    response.body = (why.empty() ? "ready" : "not ready: " + why) + "\n";
  } else {
    response.status = 404;
    response.body = "not found; here are /metrics, /-/healthy and /-/ready\n";
  }
  co_return response;
}

void App::listen_for_signals() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  if (!config_path_.empty()) signals_.add(SIGHUP);
  await_signal();
}

void App::await_signal() {
  signals_.async_wait([this](const boost::system::error_code& failed, int number) {
    if (failed) return;
    if (number != SIGHUP) return quit();
    reload();
    await_signal();
  });
}

void App::reload() {
  auto wanted = load_config(config_path_);
  if (!wanted) {
    base::log::error("config_not_reloaded", {{"error", wanted.error().context}});
    return;
  }
  const std::string_view fixed = fixed_difference(config_, *wanted);
  if (!fixed.empty()) {
    base::log::error("config_not_reloaded", {{"key", fixed}, {"hint", "changes need a restart"}});
    return;
  }
  if (wanted->tls) {
    // Loaded whole before anything changes: certificates are renewed in place, so this is done even
    // when the file says what it said.
    auto loaded = TlsContext::load(*wanted->tls, tls_shared_);
    if (!loaded) {
      base::log::error("config_not_reloaded", {{"error", loaded.error().context}});
      return;
    }
    tls_ = std::move(*loaded);
    config_.tls = wanted->tls;
  }
  config_.proxy_protocol_from = wanted->proxy_protocol_from;
  config_.timeouts = wanted->timeouts;
  config_.limits = wanted->limits;
  config_.loop = wanted->loop;
  config_.on_backend_failure = wanted->on_backend_failure;
  config_.log.level = wanted->log.level;
  base::log::set_level(config_.log.level);
  connections_.set_limits(config_.limits.connections, config_.limits.connections_per_client);
  control_->change_settings(Settings::of(config_, tls_));
  base::log::info("config_reloaded");
}

void App::quit() {
  if (stopping_) return;
  stopping_ = true;
  base::spawn(io_.get_executor(), gate_, "shut_down", shut_down());
}

asio::awaitable<void> App::shut_down() {
  const uint64_t left = co_await control_->drain(kDrainDeadline);
  base::log::info("stopped", {{"connections_left", left}});
  for (auto& worker : workers_) worker->stop_and_join();
  signals_.cancel();
  co_await flushes_->stop(clock_.now() + kStopDeadline);
  if (rpc_) co_await rpc_->stop(timers_);
  if (http_) co_await http_->stop();
}

void App::run() {
  io_.run();
}

}  // namespace proxy
