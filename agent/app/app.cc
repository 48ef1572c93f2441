#include "agent/app/app.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>

#include "agent/app/files.h"
#include "agent/app/kill_point.h"
#include "agent/app/parts.h"
#include "base/core/file.h"
#include "base/telemetry/log.h"

namespace agent::app {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr base::Duration kStopPatience = 3s;
constexpr base::Duration kDiskPatience = 1s;
constexpr base::Duration kRegionFileFirst = 100ms;  // until everything answers
constexpr base::Duration kRegionFileEvery = 300ms;
constexpr base::Duration kRegionFileAgain = 1s;  // after a failure

web::OperatorWeb::Options web_options(const Foundation& ground) {
  web::OperatorWeb::Options options;
  options.token = ground.token;
  return options;
}

publish::PagePublisher::Options page_options(const Foundation& ground) {
  publish::PagePublisher::Options options;
  options.directory = ground.options.dir + "/page";
  return options;
}

incident::BookPolicy book_policy(const runbook::Policy& policy) {
  incident::BookPolicy book;
  book.correlated_window = policy.correlation.window;
  book.correlated_share = policy.correlation.share;
  book.correlated_at_least = static_cast<size_t>(policy.correlation.at_least);
  book.correlated_clusters = static_cast<size_t>(policy.correlation.clusters);
  return book;
}

struct Texts {
  rule::RuleSet rules;
  std::vector<runbook::SourceText> runbooks;
  runbook::SourceText policy;
};

// Everything that is wrong is said at once.
base::Result<Texts> read_texts(const coord::RegionSpec& spec) {
  auto rules = read_rules(spec.rules_dir);
  auto runbooks = read_sources(spec.runbooks_dir);
  auto policy = base::read_file(spec.policy);
  std::optional<base::Error> wrong;
  const auto collect = [&wrong](const base::Error& error) {
    if (!wrong) {
      wrong = error;
    } else {
      wrong->context += "\n" + error.context;
    }
  };
  if (!rules) collect(rules.error());
  if (!runbooks) collect(runbooks.error());
  if (!policy) collect(policy.error());
  if (wrong) return *wrong;
  Texts texts;
  texts.rules = *std::move(rules);
  texts.runbooks = *std::move(runbooks);
  texts.policy = runbook::SourceText(spec.policy, *std::move(policy));
  return texts;
}

// A region of more listeners than can be watched apart is watched by port; more than that is nothing
// that one machine holds.
std::unique_ptr<conns::Watch> watch_connections(const coord::RegionSpec& spec,
                                                const base::Clock& clock) {
  std::vector<conns::WatchedPort> ports = collect::watched_ports(spec);
  auto watch = conns::Watch::start(ports, clock);
  if (!watch.ok()) {
    base::log::warn("connections_by_port_only", {{"why", watch.error().context}});
    for (conns::WatchedPort& port : ports) port.addresses.clear();
    ports.resize(std::min(ports.size(), conns::kMaxSlots));
    watch = conns::Watch::start(std::move(ports), clock);
  }
  return std::move(*watch);
}

}  // namespace

App::Parts::Parts(std::unique_ptr<Foundation> built_upon)
    : ground(std::move(built_upon)),
      executor(ground->io.get_executor()),
      timers(ground->timers),
      started(ground->clock.now()),
      signals(executor),
      region(ground->spec),
      proxies(region, timers),
      backends(executor, region, timers),
      provider(executor, region, timers, gate,
               [this](std::string_view cluster) {
                 const coord::Cache* cache = coordinator.tenants().first_cache(cluster);
                 return cache == nullptr ? base::CacheId{0} : cache->id;
               }),
      coordinator(coord::Surroundings{executor, region, *ground->store, *ground->box, proxies,
                                      backends, provider, timers, gate}),
      canary(executor, region, coordinator.journal(), coordinator.tenants(), timers),
      detector(ground->rules),
      book(incident::BookPolicy{}),
      recorder({ground->options.dir + "/state/record", ground->spec.record_bytes},
               ground->record_disk.get_executor(), ground->clock,
               [this] { return detector.save(); }),
      watch(Watch::Parts{executor, region, *ground->store, detector, book, alerts, timers, gate,
                         counters,
                         [this] {
                           admin.note_change();
                           publisher.changed();
                         },
                         [this] { return is_measured(); }, &recorder}),
      connections(watch_connections(region.spec(), ground->clock)),
      collector(collect::View{executor, region, coordinator.journal(), backends, canary,
                              *connections, timers, gate},
                [this](const std::vector<series::Sample>& samples) { watch.observe(samples); }),
      mesh(region, timers,
           mesh::Mesh::Wishes{[this] { return collector.pace().echo; },
                              [this] { return detector.wants_echoes(); }},
           [this](const std::vector<series::Sample>& samples) { watch.observe(samples); }),
      facts(region, coordinator.journal(), coordinator.tenants(), collector.snapshot(), book,
            ground->clock),
      engine([this] {
        action::add_actions(
            actions, action::Hands{executor, coordinator, provider, proxies, backends, canary,
                                   timers, [this] { return collector.snapshot_json(); }});
        runbook::EngineParts parts(executor, *ground->store, actions, facts, timers, watch);
        if (region.spec().gameday) {
          parts.journal_hook = KillPoint(ground->options.dir + "/run/kill-point");
        }
        return parts;
      }()),
      restraint(SelfRestraint::Parts{executor, *ground->store, engine, timers, gate}),
      admin(admin::OperatorParts{coordinator, proxies, provider, collector, book, alerts, engine,
                                 timers,
                                 [this](const incident::Change& change) {
                                   watch.apply(change);
                                   admin.note_change();
                                 },
                                 [this] { begin_stop(true, 0); }, started}),
      publisher(executor, ground->page_disk.get_executor(), timers, page_options(*ground),
                [this] { return build_page(); }),
      web(executor, timers, admin, web_options(*ground),
          web::OperatorWeb::Providers{[this] { return metrics(); }, [this] { return ready(); }}) {
  coordinator.reconciler().set_witness(
      [this](const std::string& proxy, const coord::ProxyStatus& known) {
        return collector.shows(proxy, known);
      });
  for (const coord::ClusterSpec& cluster : region.spec().clusters) {
    book.set_cluster(cluster.name, cluster.proxies.size(), cluster.backends.size());
  }
}

App::Parts::~Parts() = default;

base::Result<> App::Parts::load_runbooks() {
  auto loaded = engine.load(ground->runbooks, ground->policy);
  if (!loaded) return loaded;
  book.set_policy(book_policy(engine.policy()));
  return base::Done{};
}

// Rules, runbooks and policy anew, or nothing at all.
void App::Parts::reload() {
  auto texts = read_texts(region.spec());
  auto loaded = texts ? engine.load(texts->runbooks, texts->policy) : texts.error();
  if (!loaded) {
    base::log::error("reload_refused", {{"error", loaded.error().context}});
    return;
  }
  detector.set_rules(std::move(texts->rules));
  book.set_policy(book_policy(engine.policy()));
  base::log::info("reloaded");
}

base::Result<> App::Parts::listen() {
  base::net::HttpServer::Options options;
  options.port = region.spec().ports.operator_api;
  options.name = "operator API";
  auto server = base::net::HttpServer::listen(
      executor, timers, options,
      [this](base::net::HttpRequest request) { return web.handle(std::move(request)); });
  if (!server) return server.error();
  http = *std::move(server);
  auto calls = base::net::RpcServer::listen(
      executor, region.spec().agent_socket(),
      [this](base::net::RpcRequest request) { return answer(std::move(request)); });
  if (!calls) return calls.error();
  socket = *std::move(calls);
  return base::Done{};
}

void App::Parts::on_process(const action::ProcessEvent& event) {
  coordinator.on_process_changed(event.id);
  collector.on_process(event.id, event.running);
  admin.note_change();
  publisher.changed();
  const std::string how = event.how;
  if (event.running) {
    base::log::info("process_running", {{"id", event.id}, {"pid", event.pid}, {"how", how}});
  } else {
    base::log::info("process_ended", {{"id", event.id}, {"pid", event.pid}, {"how", how}});
  }
}

base::Result<> App::Parts::ready() const {
  std::string waiting;
  if (!coordinator.ready(&waiting)) return base::Error(base::ErrorCode::kUnavailable, waiting);
  if (was_ready) return base::Done{};
  // The first time, ready means that a client's set and get have come through every proxy.
  for (const coord::ClusterSpec& cluster : region.spec().clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      const auto figures = collector.snapshot().proxies.find(proxy.id);
      if (figures != collector.snapshot().proxies.end() && figures->second.canary_ok) continue;
      return base::Error(base::ErrorCode::kUnavailable, "the way through proxy " + proxy.id);
    }
  }
  return base::Done{};
}

bool App::Parts::is_measured() {
  for (const coord::ClusterSpec& cluster : region.spec().clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      const coord::Process& process = *region.process(proxy.id);
      const bool answers = coordinator.sync().known(proxy.id).silent_since.ns == 0;
      if (process.pid == 0 || !answers) continue;
      // One that was just adopted is starting until it has answered, and counted as healthy then.
      if (process.state == coord::ProcessState::kStarting) return false;
      const auto figures = collector.snapshot().proxies.find(proxy.id);
      if (figures == collector.snapshot().proxies.end() || !figures->second.measured) return false;
    }
  }
  return true;
}

// Nobody is served before the store is read: what a caller would change is not known yet. Runs are
// taken up when everything that they act through is there.
asio::awaitable<base::Result<>> App::Parts::start() {
  if (auto loaded = co_await coordinator.load(); !loaded) co_return loaded;
  if (auto loaded = co_await watch.load(); !loaded) co_return loaded;
  if (auto paused = co_await engine.load_pauses(); !paused) {
    base::log::error("pauses_unreadable", {{"error", paused.error().context}});
  }
  co_await restraint.begin();
  if (stopping) co_return base::Done{};
  if (auto listening = listen(); !listening) co_return listening;
  provider.listen([this](const action::ProcessEvent& event) { on_process(event); });
  if (auto running = co_await provider.start_region(); !running) co_return running;
  if (auto begun = co_await coordinator.start(); !begun) co_return begun;
  if (stopping) co_return base::Done{};
  collector.start();
  mesh.start(executor, gate);
  watch.start(engine);
  restraint.watch_clock();
  web.start();
  publisher.start();
  base::spawn(executor, gate, "region-file", keep_region_file());
  co_return base::Done{};
}

// region.json appears when everything answers and is kept true from then on.
asio::awaitable<void> App::Parts::keep_region_file() {
  // One that was written in an earlier life of the agent speaks of processes that may have changed.
  const bool was_written = ::access((ground->options.dir + "/region.json").c_str(), F_OK) == 0;
  // Once it stops, the ends of processes are no news, and the file that stop() removed stays away.
  while (!gate.closed() && !stopping) {
    if (!was_ready && ready()) {
      was_ready = true;
      base::log::info("ready", {{"seconds", base::to_seconds(ground->clock.now() - started)}});
      admin.note_change();
      publisher.changed();
    }
    const bool told =
        !(was_ready || was_written) || region_changes == described_changes() || write_region_file();
    const base::Duration pace = was_ready ? kRegionFileEvery : kRegionFileFirst;
    co_await timers.wait_for_beat(told ? pace : kRegionFileAgain);
  }
}

asio::awaitable<void> App::Parts::wait_signals() {
  while (!gate.closed()) {
    boost::system::error_code failed;
    const int number =
        co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, failed));
    if (failed) co_return;
    if (number == SIGHUP) {
      base::log::reopen();
      reload();
    } else {
      base::log::info("stopping", {{"signal", number}});
      begin_stop(false, 0);
    }
  }
}

void App::Parts::begin_stop(bool processes_too, int exit_status) {
  stop_processes = stop_processes || processes_too;
  if (stopping) return;
  stopping = true;
  status = exit_status;
  base::spawn(executor, gate, "stop", stop());
}

asio::awaitable<void> App::Parts::stop() {
  // The caller of region.stop gets its answer before its connection goes.
  co_await timers.wait_for(20ms);
  // Processes that are ended on purpose are no incidents, and an engine that stops is no refusal.
  watch.stop();
  runs_left = !co_await engine.stop(ground->clock.now() + kStopPatience);
  if (runs_left) base::log::warn("runs_left", {{"why", "they go on when the agent is back"}});
  if (stop_processes) {
    co_await provider.stop_region();
    ::unlink((ground->options.dir + "/region.json").c_str());
  }
  co_await watch.flush();
  // One that never got ready, or fails, did not stay up.
  if (was_ready && status == 0) co_await restraint.end();
  co_await publisher.stop();
  const base::Instant deadline = ground->clock.now() + kDiskPatience;
  while (!recorder.is_written() && ground->clock.now() < deadline) co_await timers.wait_for(10ms);
  disk_stuck = !recorder.is_written();
  if (disk_stuck) base::log::warn("recording_unfinished", {{"why", "the disk stands still"}});
  co_await web.stop();
  if (http) co_await http->stop();
  if (socket) co_await socket->stop(timers);
  mesh.stop();
  gate.close();
  signals.cancel();
  ground->timers.stop();
  ground->io.stop();
}

asio::awaitable<void> App::Parts::live() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    boost::system::error_code failed;
    signals.add(number, failed);
    if (failed) base::log::error("signals", {{"signal", number}, {"error", failed.message()}});
  }
  base::spawn(executor, gate, "signals", wait_signals());
  auto begun = co_await start();
  if (!begun) {
    std::fprintf(stderr, "mcguard-agent: %s\n", begun.error().context.c_str());
    base::log::error("start_failed", {{"error", begun.error().context}});
    begin_stop(false, 1);
  }
}

base::Result<std::unique_ptr<App>> App::create(AppOptions options, coord::RegionSpec spec,
                                               base::Clock& clock) {
  for (const char* folder : {"/run", "/log", "/state", "/page", "/evidence"}) {
    auto made = base::make_directories(options.dir + folder, 0755);
    if (!made) return made.error();
  }
  auto ground = std::make_unique<Foundation>(std::move(options), std::move(spec), clock);
  const std::string& dir = ground->options.dir;

  auto texts = read_texts(ground->spec);
  if (!texts) return texts.error();
  ground->rules = std::move(texts->rules);
  ground->runbooks = std::move(texts->runbooks);
  ground->policy = std::move(texts->policy);

  auto lock = take_lock(dir + "/run/agent.lock");
  if (!lock) return lock.error();
  ground->lock = *std::move(lock);
  auto token = operator_token(dir + "/operator.token");
  if (!token) return token.error();
  ground->token = *std::move(token);
  auto box = coord::SecretBox::open(dir + "/secret.key");
  if (!box) return box.error();
  ground->box = *std::move(box);
  auto store =
      store::SqliteStore::open(store::SqliteOptions(dir + "/agent.db"), ground->io.get_executor());
  if (!store) return store.error();
  ground->store = *std::move(store);

  std::unique_ptr<App> app(new App(std::make_unique<Parts>(std::move(ground))));
  if (auto loaded = app->parts_->load_runbooks(); !loaded) return loaded.error();
  return app;
}

base::Result<> App::check(const coord::RegionSpec& spec) {
  auto texts = read_texts(spec);
  if (!texts) return texts.error();
  // The actions' names and inputs do not depend on what they act through.
  runbook::ActionRegistry actions;
  action::add_action_names(actions);
  auto library = runbook::Library::build(texts->runbooks, actions);
  if (!library) return library.error();
  auto policy = runbook::parse_policy(texts->policy, *library);
  if (!policy) return policy.error();
  return base::Done{};
}

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
App::~App() = default;

int App::run() {
  Parts& parts = *parts_;
  base::spawn(parts.executor, parts.gate, "live", parts.live());
  parts.ground->io.run();
  // What still waits (for an answer that nobody will read) ends here; the loops have been
  // cancelled.
  parts.ground->io.restart();
  const base::Instant deadline = parts.ground->clock.now() + kStopPatience;
  while (parts.gate.inside() > 0 && parts.ground->clock.now() < deadline) {
    parts.ground->io.run_one_for(100ms);
  }
  const int status = parts.status;
  base::log::stop();
  // A coroutine or a write that cannot be ended must not keep a stopped agent alive; nothing else is
  // unsaved.
  if (parts.gate.inside() > 0 || parts.runs_left || parts.disk_stuck) ::_exit(status);
  return status;
}

}  // namespace agent::app
