#include "proxy/app/app.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstring>

#include "base/core/file.h"
#include "base/net/socket_address.h"
#include "base/telemetry/exposition.h"
#include "base/telemetry/log.h"
#include "base/telemetry/process_metrics.h"
#include "proxy/admin/cache_metrics.h"
#include "proxy/admin/metrics.h"

namespace proxy {

namespace asio = boost::asio;
using base::Result;

namespace {

constexpr base::Duration kDrainDeadline = std::chrono::seconds(5);
constexpr size_t kCachesAtATime = 32;  // on their page; then others have their turn
constexpr base::Duration kSettledPoll = std::chrono::milliseconds(5);
constexpr base::Duration kStopDeadline = std::chrono::milliseconds(500);

Result<> make_parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? Result<>(base::Done{})
                                                  : base::make_directories(path.substr(0, slash));
}

// Whether an inherited socket is the one that the configuration asks for; port 0: any.
bool is_bound_to(int fd, const std::string& address, uint16_t port) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return false;
  // The same place in IPv4 and IPv6.
  const uint16_t there = ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  if (port != 0 && port != there) return false;
  const auto wanted = base::net::make_socket_address(address, there);
  return wanted && wanted->size() == size && std::memcmp(wanted->get(), &bound, size) == 0;
}

base::net::HttpResponse metrics_page(const std::vector<prometheus::MetricFamily>& families,
                                     const std::string& accept) {
  const auto format = base::telemetry::negotiate(accept);
  base::net::HttpResponse response;
  response.content_type = std::string(base::telemetry::content_type(format));
  response.headers.emplace_back("Vary", "Accept");
  response.body = base::telemetry::expose(families, format);
  return response;
}

// Whoever finds the lock held finds the right process.
void write_pid(int lock) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  const auto size = static_cast<ssize_t>(pid.size());
  if (::pwrite(lock, pid.data(), pid.size(), 0) != size || ::ftruncate(lock, size) != 0) {
    base::log::error("lock_not_written", {{"error", std::strerror(errno)}});
  }
}

}  // namespace

App::App(ProxyConfig config, AppOptions options)
    : config_(std::move(config)),
      options_(std::move(options)),
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
  // Clients that have come are the predecessor's to serve, or nobody's.
  if (!options_.take_over.empty()) {
    for (auto& worker : workers_) worker->stop_and_join();
  }
  // What already listens has coroutines that must end before it is destroyed.
  quit();
  io_.run();
  return started;
}

Result<> App::start_parts() {
  connections_.set_limits(config_.limits.connections, config_.limits.connections_per_client);
  set_rates();
  auto state = admin::StateDir::open(config_.state_dir);
  if (!state) return state.error();
  state_ = std::move(*state);
  if (!options_.take_over.empty()) {
    auto begun = admin::TakeOver::begin(options_.take_over, state_->saved_fence(), clock_);
    if (!begun) return begun.error();
    take_over_ = std::move(*begun);
  }
  auto saved = state_->load(take_over_ == nullptr);
  if (!saved) return saved.error();
  for (const std::string& damaged : saved->damaged) {
    base::log::error("state_damaged", {{"error", damaged}});
  }
  for (const std::string& path : {config_.telemetry_file, config_.control_socket}) {
    if (const auto made = make_parent(path); !made) return made.error();
  }
  // A successor's has another name until the proxy is its.
  auto segment =
      base::telemetry::SegmentWriter::create(config_.telemetry_file + (take_over_ ? ".next" : ""),
                                             config_.id, config_.cluster, config_.workers);
  if (!segment) return segment.error();
  segment_ = std::move(*segment);
  flushes_.emplace(io_.get_executor(), timers_, config_.id, config_.agent_socket);
  admin::ControlParts parts{config_, timers_, *segment_, *state_, connections_, accounts_, *this};
  control_.emplace(parts, std::move(*saved));
  if (const auto loaded = load_tls(); !loaded) return loaded;
  const auto world = control_->world();
  if (!world) return world.error();
  if (const auto opened = open_workers(*world); !opened) return opened.error();
  if (take_over_) {
    if (const auto taken = take_over(); !taken) return taken;
  } else if (const auto opened = open_admin(); !opened) {
    return opened.error();
  }
  listen_for_signals();
  if (!take_over_) {
    for (auto& worker : workers_) worker->start();
  }
  base::log::info("started", {{"proxy", config_.id},
                              {"address", config_.listen.address},
                              {"port", config_.listen.port},
                              {"workers", config_.workers}});
  if (take_over_ && take_over_->is_quit_wanted()) quit();
  return base::Done{};
}

// Clients of the plain port need no certificate, so what is wrong with one closes the TLS port only.
Result<> App::load_tls() {
  if (!config_.tls) return base::Done{};
  auto loaded = TlsContext::load(*config_.tls, tls_shared_);
  if (loaded) {
    tls_ = std::move(*loaded);
    warn_of_validity();
    control_->change_settings(Settings::of(config_, tls_));
    return base::Done{};
  }
  // A predecessor that serves TLS, by what it has in memory, had better go on.
  if (take_over_ && take_over_->take_socket({handover::Door::kTls, 0, {}}).valid()) {
    return loaded.error();
  }
  base::log::error("tls_not_opened", {{"error", loaded.error().context},
                                      {"port", config_.tls->port},
                                      {"hint", "SIGHUP opens the port once the files are right"}});
  return base::Done{};
}

void App::warn_of_validity() const {
  if (const auto valid = tls_->check_validity(wall_seconds()); !valid) {
    base::log::error("tls_certificate_not_valid", {{"error", valid.error().context}});
  }
}

int64_t App::wall_seconds() const {
  return clock_.wall().ns / 1'000'000'000;
}

Result<> App::check(const ProxyConfig& config) {
  if (!config.tls) return base::Done{};
  base::SystemClock clock;
  TlsShared shared(clock);
  const auto loaded = TlsContext::load(*config.tls, shared);
  if (!loaded) return loaded.error();
  return (*loaded)->check_validity(clock.wall().ns / 1'000'000'000);
}

// The sockets of a predecessor come first; it may have had more workers, or fewer.
Result<> App::open_workers(const World& world) {
  std::vector<Worker*> pointers;
  if (config_.unix_listen) {
    if (const auto opened = open_unix_door(); !opened) return opened;
  }
  for (uint32_t i = 0; i < config_.workers; ++i) {
    WorkerParts parts{i,
                      clock_,
                      segment_->worker(i),
                      segment_->detail(i),
                      segment_->latencies(i),
                      accounts_,
                      connections_,
                      *flushes_};
    auto worker = Worker::create(parts, world);
    if (!worker) return worker.error();
    if (const auto opened = open_doors_of(**worker, i); !opened) return opened;
    if (take_over_) (*worker)->keep_doors_shut();
    pointers.push_back(worker->get());
    workers_.push_back(std::move(*worker));
  }
  if (take_over_) let_in_leftovers();
  control_->set_workers(std::move(pointers));
  return base::Done{};
}

Result<> App::open_unix_door() {
  const UnixListener& wanted = *config_.unix_listen;
  if (take_over_) unix_socket_ = take_over_->take_socket({handover::Door::kUnix, 0, wanted.path});
  if (!unix_socket_.valid()) {
    auto opened = base::net::listen_unix(wanted.path, wanted.mode);
    if (!opened) return opened.error();
    unix_socket_ = std::move(*opened);
  }
  if (!take_over_) unix_file_ = base::net::socket_file(wanted.path);
  return base::Done{};
}

Result<> App::open_doors_of(Worker& worker, uint32_t index) {
  using handover::Door;
  auto plain = open_tcp(Door::kPlain, config_.listen.port, index);
  if (!plain) return plain.error();
  Result<> done = let_in(worker, std::move(*plain), {});
  if (done.ok() && tls_) {
    auto tls = open_tcp(Door::kTls, config_.tls->port, index);
    if (!tls) return tls.error();
    done = let_in(worker, std::move(*tls), {Door::kTls, 0, {}});
  }
  if (done.ok() && config_.open) {
    auto open = open_tcp(Door::kOpen, config_.open->port, index);
    if (!open) return open.error();
    done = let_in(worker, std::move(*open), {Door::kOpen, config_.open->cache, {}});
  }
  if (done.ok() && unix_socket_.valid()) {
    base::net::UniqueFd shared(::fcntl(unix_socket_.get(), F_DUPFD_CLOEXEC, 0));
    done = let_in(worker, std::move(shared), {Door::kUnix, 0, config_.unix_listen->path});
  }
  return done;
}

// Of the predecessor's: one for each worker, or else a copy: a further socket would draw connections
// that nobody accepts until this process is the proxy.
Result<base::net::UniqueFd> App::open_tcp(handover::Door door, uint16_t& port, uint32_t index) {
  if (take_over_) {
    base::net::UniqueFd inherited = take_over_->take_socket({door, 0, {}});
    for (size_t i = 0; i < listening_.size() && !inherited.valid(); ++i) {
      if (listening_[i].door != door) continue;
      inherited.reset(::fcntl(listening_fds_[i], F_DUPFD_CLOEXEC, 0));
    }
    if (inherited.valid() && is_bound_to(inherited.get(), config_.listen.address, port)) {
      return inherited;
    }
  }
  return open_listening_socket(config_.listen.address, port, index == 0);
}

Result<> App::let_in(Worker& worker, base::net::UniqueFd fd, const handover::Listening& door) {
  const int raw = fd.get();
  Entrance entrance;
  entrance.open_cache = door.open_cache;
  entrance.tls = door.door == handover::Door::kTls;
  if (const auto listens = worker.listen(std::move(fd), entrance); !listens) return listens;
  // The Unix socket is one, whoever has copies of it.
  const bool again = door.door == handover::Door::kUnix &&
                     std::find(listening_.begin(), listening_.end(), door) != listening_.end();
  if (again) return base::Done{};
  listening_.push_back(door);
  listening_fds_.push_back(raw);
  return base::Done{};
}

// Connections wait in every one of the predecessor's sockets: somebody must accept them.
void App::let_in_leftovers() {
  using handover::Door;
  size_t next = 0;
  for (const Door door : {Door::kPlain, Door::kTls, Door::kOpen}) {
    const bool wanted = door == Door::kPlain ||
                        (door == Door::kTls ? config_.tls.has_value() : config_.open.has_value());
    for (;;) {
      base::net::UniqueFd left = take_over_->take_socket({door, 0, {}});
      if (!left.valid()) break;
      uint16_t port = config_.listen.port;
      if (door == Door::kTls && wanted) port = config_.tls->port;
      if (door == Door::kOpen && wanted) port = config_.open->port;
      if (!wanted || !is_bound_to(left.get(), config_.listen.address, port)) continue;
      const base::CacheId cache = door == Door::kOpen ? config_.open->cache : 0;
      Worker& worker = *workers_[next++ % workers_.size()];
      if (const auto done = let_in(worker, std::move(left), {door, cache, {}}); !done) {
        base::log::error("socket_not_watched", {{"error", done.error().context}});
      }
    }
  }
}

// Everything until this process is the proxy. Workers run meanwhile; the admin thread's loop does not.
Result<> App::take_over() {
  const base::Instant begun = clock_.now();
  if (const auto opened = open_new_names(); !opened) return opened;
  std::vector<Worker*> pointers;
  for (auto& worker : workers_) {
    worker->start();
    pointers.push_back(worker.get());
  }
  const base::CacheId open_cache = config_.open ? config_.open->cache : 0;
  const auto taken = take_over_->take_all(*control_, *state_, std::move(pointers), open_cache);
  if (!taken) return taken;
  if (const auto confirmed = take_over_->confirm(); !confirmed) return confirmed;
  // From here on nothing may fail: there is no other process to go on.
  if (config_.unix_listen) unix_file_ = base::net::socket_file(config_.unix_listen->path);
  take_names();
  // Last: whoever finds our number there finds everything else ours too.
  if (take_over_->lock() >= 0) {
    options_.lock = take_over_->lock();
    write_pid(options_.lock);
  }
  flushes_->keep_promises(take_over_->promises());
  base::log::info("taken_over", {{"connections", take_over_->connections()},
                                 {"seconds", base::to_seconds(clock_.now() - begun)}});
  return base::Done{};
}

Result<int64_t> App::hand_over(const std::string& socket) {
  if (handing_over_ || stopping_) {
    return base::Error(base::ErrorCode::kConflict,
                       stopping_ ? "this process is ending" : "this process hands over already");
  }
  std::vector<Worker*> pointers;
  for (auto& worker : workers_) pointers.push_back(worker.get());
  admin::HandOverParts parts{
      timers_,        *control_,      *state_,
      *flushes_,      connections_,   std::move(pointers),
      listening_,     listening_fds_, Departures::patience(config_.timeouts.request),
      metrics_name(), options_.lock};
  auto begun = admin::HandOver::begin(std::move(parts), socket);
  if (!begun) return begun.error();
  hand_over_ = std::move(*begun);
  handing_over_ = true;
  base::spawn(io_.get_executor(), gate_, "give_way", give_way());
  return hand_over_->peer_pid();
}

asio::awaitable<void> App::give_way() {
  const bool handed_over = co_await hand_over_->run();
  if (!handed_over) {
    handing_over_ = false;
    ++failed_handovers_;
    if (quit_wanted_) quit();
    co_return;
  }
  stopping_ = true;
  for (auto& worker : workers_) worker->stop_and_join();
  segment_->leave_file();
  unix_file_ = {};
  if (rpc_) co_await rpc_->stop(timers_);
  if (http_) co_await http_->stop();
  signals_.cancel();
  if (quit_wanted_) co_await hand_over_->pass_on_quit();
  hand_over_.reset();  // the new process hears that all names are free
  co_await flushes_->stop(clock_.now() + kStopDeadline);
  base::log::info("stopped", {{"connections_left", 0}});
}

asio::awaitable<base::net::HttpResponse> App::answer_http(base::net::HttpRequest request) {
  base::net::HttpResponse response;
  const std::string accept = request.headers["accept"];
  if (request.path == "/metrics") {
    auto families = admin::collect_metrics(*segment_, control_->is_ready(), clock_.now());
    admin::add_tls_metrics(families, tls_shared_.counts, config_.tls ? &*config_.tls : nullptr,
                           tls_.get(), wall_seconds());
    admin::add_reload_metrics(families, reloaded_);
    admin::add_handover_metrics(families, failed_handovers_);
    for (auto& family : base::telemetry::process_families()) families.push_back(std::move(family));
    response = metrics_page(families, accept);
  } else if (request.path == "/metrics/caches") {
    const auto choice = admin::parse_cache_choice(request.query);
    if (choice) {
      const auto seconds = static_cast<uint32_t>(clock_.wall().ns / 1'000'000'000);
      admin::CachePage page(accounts_, control_->directory(), *choice, seconds);
      while (page.read_more(kCachesAtATime)) co_await asio::post(io_, asio::use_awaitable);
      response = metrics_page(page.families(), accept);
    } else {
      response.status = 400;
      response.body = choice.error().context + "\n";
    }
  } else if (request.path == "/-/healthy") {
    response.body = "healthy\n";
  } else if (request.path == "/-/ready") {
    const std::string why = control_->why_not_ready();
    response.status = why.empty() ? 200 : 503;
    response.body = (why.empty() ? "ready" : "not ready: " + why) + "\n";
  } else {
    response.status = 404;
    response.body = "not found; here are /metrics, /metrics/caches, /-/healthy and /-/ready\n";
  }
  co_return response;
}

void App::listen_for_signals() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  if (!options_.config_path.empty()) signals_.add(SIGHUP);
  await_signal();
}

void App::await_signal() {
  signals_.async_wait([this](const boost::system::error_code& failed, int number) {
    if (failed) return;
    if (number != SIGHUP) return quit();
    base::log::reopen();
    reload();
    await_signal();
  });
}

void App::reload() {
  const auto done = reload_config();
  reloaded_ = done.ok();
  if (!reloaded_) {
    base::log::error("config_not_reloaded", {{"error", done.error().context}});
    return;
  }
  base::spawn(io_.get_executor(), gate_, "tell_reloaded", tell_reloaded());
}

// Whoever reads it may rely on it: all that comes from now on is served by the new configuration.
asio::awaitable<void> App::tell_reloaded() {
  while (!control_->is_settled()) {
    if (stopping_) co_return;
    co_await timers_.wait_for(kSettledPoll);
  }
  base::log::info("config_reloaded");
}

Result<> App::reload_config() {
  using base::Error;
  using base::ErrorCode;
  if (handing_over_) return Error(ErrorCode::kConflict, "a new process is taking over");
  auto wanted = load_config(options_.config_path);
  if (!wanted) return wanted.error();
  const std::string_view fixed = fixed_difference(config_, *wanted);
  if (!fixed.empty()) {
    return Error(ErrorCode::kRefused, std::string(fixed) + ": changes need a restart");
  }
  if (wanted->tls) {
    if (const auto renewed = renew_tls(*wanted->tls); !renewed) return renewed;
  }
  config_.proxy_protocol_from = wanted->proxy_protocol_from;
  config_.timeouts = wanted->timeouts;
  config_.limits = wanted->limits;
  config_.loop = wanted->loop;
  config_.samples = wanted->samples;
  config_.on_backend_failure = wanted->on_backend_failure;
  config_.log.level = wanted->log.level;
  base::log::set_level(config_.log.level);
  connections_.set_limits(config_.limits.connections, config_.limits.connections_per_client);
  set_rates();
  control_->change_settings(Settings::of(config_, tls_));
  return base::Done{};
}

// Loaded whole before anything changes: certificates are renewed in place, so this is done even when
// the file says what it said.
Result<> App::renew_tls(const TlsListener& wanted) {
  auto loaded = TlsContext::load(wanted, tls_shared_);
  if (!loaded) return loaded.error();
  const auto valid = (*loaded)->check_validity(wall_seconds());
  if (!valid && tls_ && tls_->check_validity(wall_seconds()).ok()) return valid.error();
  std::vector<base::net::UniqueFd> sockets;
  uint16_t port = wanted.port;
  for (size_t i = 0; !tls_ && i < workers_.size(); ++i) {
    auto opened = open_listening_socket(config_.listen.address, port, i == 0);
    if (!opened) return opened.error();
    sockets.push_back(std::move(*opened));
  }
  tls_ = std::move(*loaded);
  config_.tls = wanted;
  warn_of_validity();
  if (!sockets.empty()) {
    // Before the doors are, the worlds know the certificates: both go the same way, in this order.
    control_->change_settings(Settings::of(config_, tls_));
  }
  for (size_t i = 0; i < sockets.size(); ++i) {
    listening_.push_back({handover::Door::kTls, 0, {}});
    listening_fds_.push_back(sockets[i].get());
    workers_[i]->listen_too(std::move(sockets[i]), {0, true});
  }
  return base::Done{};
}

void App::set_rates() {
  const ConnectionRate& rate = config_.limits.connection_rate;
  connections_.rates().set_limits(rate.client, rate.credential);
}

void App::quit() {
  if (handing_over_) {
    // Soon over: before the seal it fails, after it the new process hears of this.
    quit_wanted_ = true;
    if (hand_over_) hand_over_->cancel();
    return;
  }
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
