#include <unistd.h>

#include <boost/json/serialize.hpp>

#include "agent/admin/arguments.h"
#include "agent/admin/status.h"
#include "agent/app/parts.h"
#include "agent/incident/wording.h"
#include "agent/publish/build.h"
#include "base/core/file.h"
#include "base/telemetry/log.h"

namespace agent::app {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr size_t kPublishedResolved = 50;

}  // namespace

// Of what region.json tells: processes, and the cache with its credential. Never 0.
uint64_t App::Parts::described_changes() {
  return 1 + region.change_count() + coordinator.tenants().change_count();
}

bool App::Parts::write_region_file() {
  const uint64_t changes = described_changes();
  auto described = admin::describe_region(region, coordinator.tenants(), ::getpid());
  if (!described) {
    base::log::error("region_file", {{"error", described.error().context}});
    return false;
  }
  std::string text = json::serialize(*described) + "\n";
  if (text != region_text) {
    auto written = base::write_file_atomic(ground->options.dir + "/region.json", text,
                                           base::Durability::kRenameOnly, 0600);
    if (!written) {
      base::log::error("region_file", {{"error", written.error().context}});
      return false;
    }
    region_text = std::move(text);
  }
  region_changes = changes;
  return true;
}

std::optional<publish::PageModel> App::Parts::build_page() {
  // Until the first figures are in, nothing is known that could be told.
  if (!was_ready) return std::nullopt;
  publish::PageIdentity identity;
  identity.name = "mcguard " + region.spec().region;
  identity.url = "http://127.0.0.1:" + std::to_string(region.spec().ports.status);
  identity.created = ground->clock.wall() + (started - ground->clock.now());
  if (page) identity.created = page->identity.created;

  std::vector<publish::ClusterHealth> clusters;
  for (const coord::ClusterSpec& cluster : region.spec().clusters) {
    publish::ClusterHealth health;
    health.name = cluster.name;
    const auto state = [&](const std::string& id) {
      return admin::shown_state(region, coordinator.journal(), collector.snapshot(),
                                *region.process(id));
    };
    for (const coord::ProxySpec& proxy : cluster.proxies) {
      ++health.proxies;
      const coord::ProcessState now = state(proxy.id);
      health.proxies_serving +=
          now == coord::ProcessState::kUp || now == coord::ProcessState::kDraining ? 1 : 0;
    }
    for (const coord::BackendSpec& backend : cluster.backends) {
      ++health.backends;
      const coord::ProcessState now = state(backend.id);
      health.backends_serving += now == coord::ProcessState::kUp ? 1 : 0;
      const bool owns_nothing = coordinator.journal().at(cluster.name).weight_of(backend.id) == 0;
      health.backends_ejected += now != coord::ProcessState::kUp && owns_nothing ? 1 : 0;
    }
    clusters.push_back(std::move(health));
  }

  std::vector<publish::ReportedIncident> incidents;
  const auto report = [&](const incident::Incident& incident) {
    incidents.push_back({incident, publish::default_wording(incident.type, incident.scope)});
  };
  // Alerts from outside are the operators': what a customer would notice of them is found here too.
  for (const incident::Incident* incident : book.unresolved()) {
    if (incident->alert.empty()) report(*incident);
  }
  for (const incident::Incident* incident : book.resolved(kPublishedResolved)) {
    if (incident->alert.empty()) report(*incident);
  }
  page = publish::build_page(identity, clusters, incidents, ground->clock.wall(),
                             page ? &*page : nullptr);
  return page;
}

// A counter that is first seen at 1 has not grown, for Prometheus: it is there with 0 before.
void App::Parts::begin_counters() {
  using runbook::Outcome;
  for (const incident::Type type : incident::all_types()) {
    counters.incidents_opened.try_emplace(std::string(incident::to_string(type)), 0);
  }
  for (const auto& [name, runbook] : engine.library().all()) {
    for (const Outcome outcome :
         {Outcome::kCompleted, Outcome::kHandedOver, Outcome::kUndone, Outcome::kAborted}) {
      counters.runs_finished.try_emplace({name, std::string(to_string(outcome))}, 0);
    }
  }
  for (const coord::ClusterSpec& cluster : region.spec().clusters) {
    for (const char* result : {"ok", "failed"}) {
      counters.canary_requests.try_emplace({cluster.name, result}, 0);
    }
  }
}

namespace {

web::ConnectionMetrics connection_metrics(const collect::Snapshot& snapshot) {
  const collect::ConnectionFigures& how = snapshot.connections;
  web::ConnectionMetrics metrics;
  if (!how.known) return metrics;
  metrics.source = how.source;
  metrics.exact = how.exact;
  metrics.missed_events = how.missed_events;
  metrics.processor_seconds = how.processor_seconds;
  const bool events = how.source == conns::to_string(conns::SourceKind::kBpf);
  for (const auto& [id, figures] : snapshot.proxies) {
    const conns::ListenerCounts& kernel = figures.kernel;
    for (size_t state = 1; state < conns::kStates; ++state) {
      if (state == conns::kTimeWait || state == conns::kClose || state == conns::kNewSynReceived) {
        continue;
      }
      const std::string name(conns::tcp_state_name(static_cast<uint8_t>(state)));
      metrics.by_state[{id, name}] = kernel.states[state];
    }
    metrics.queue[id] = kernel.queue;
    metrics.queue_drops[id] = kernel.queue_drops;
    if (!events) continue;
    metrics.opened[id] = kernel.opened;
    metrics.closed[id] = kernel.closed;
    metrics.aborted[id] = kernel.aborted;
    metrics.failed[id] = kernel.failed;
    metrics.retransmits[id] = kernel.retransmits;
  }
  return metrics;
}

// Of targets that never answered only that they were asked: they may know no echoes.
web::EchoMetrics echo_metrics(const mesh::Mesh& mesh) {
  web::EchoMetrics metrics;
  if (const mesh::EchoResponder* responder = mesh.responder()) {
    const mesh::ResponderCounts& counts = responder->counts();
    metrics.answered = counts.answered;
    metrics.dropped["malformed"] += counts.malformed;
    metrics.dropped["unknown_peer"] += counts.unknown_peer;
    metrics.dropped["limited"] += counts.limited;
  }
  const mesh::EchoProber* prober = mesh.prober();
  if (prober == nullptr) return metrics;
  metrics.dropped["malformed"] += prober->counts().malformed;
  metrics.dropped["unknown_peer"] += prober->counts().unknown_peer;
  metrics.dropped["unexpected"] += prober->counts().unexpected;
  for (const mesh::EchoProber::Asked& asked : prober->targets()) {
    const mesh::EchoCounts& counts = asked.ledger.counts();
    const std::string name = asked.target.name();
    metrics.asked[name] = counts.asked;
    if (counts.answered == 0) continue;
    metrics.lost[name] = counts.lost;
    metrics.late[name] = counts.late;
    web::EchoMetrics::Trips& trips = metrics.trips[name];
    trips.count = counts.answered;
    trips.seconds = counts.seconds;
    uint64_t sum = 0;
    for (size_t i = 0; i < mesh::kEchoBounds.size(); ++i) {
      sum += counts.within[i];
      trips.within.emplace_back(mesh::kEchoBounds[i], sum);
    }
  }
  return metrics;
}

}  // namespace

std::vector<prometheus::MetricFamily> App::Parts::metrics() {
  begin_counters();
  if (region.spec().record_bytes > 0) {
    const record::RecordingCounts recorded = recorder.counts();
    counters.recording_events = {
        {"kept", recorded.kept}, {"behind", recorded.behind}, {"failing", recorded.failing}};
  }
  counters.page_writes = publisher.counts().writes;
  counters.page_write_failures = publisher.counts().failures;
  counters.page_last_success = publisher.counts().last_success;
  counters.log_lines_suppressed = base::log::totals().suppressed;
  counters.alerts_firing = alerts.size();
  counters.alerts_received = {{"firing", alerts.received().firing},
                              {"resolved", alerts.received().resolved}};
  counters.flushes_pending = coordinator.flushes().pending();
  counters.machine_memory_bytes = collector.snapshot().host.memory_total_bytes;
  counters.machine_memory_available_bytes = collector.snapshot().host.memory_available_bytes;
  counters.telemetry_age_seconds.clear();
  for (const auto& [id, figures] : collector.snapshot().proxies) {
    counters.telemetry_age_seconds[id] = figures.telemetry_age_seconds;
  }
  counters.connections = connection_metrics(collector.snapshot());
  counters.echoes = echo_metrics(mesh);
  return web::counter_families(counters);
}

// run/agent.sock: a client's flush from a proxy, the supervisor's questions, and every operator
// verb.
asio::awaitable<base::Result<json::value>> App::Parts::answer(base::net::RpcRequest request) {
  if (request.verb == "flush.request") co_return co_await flush_for_client(std::move(request.args));
  if (request.verb == "region.describe") {
    auto described = admin::describe_region(region, coordinator.tenants(), ::getpid());
    json::object shown = described ? *std::move(described) : json::object{};
    const base::Result<> state = ready();
    shown["ready"] = state.ok() && was_ready;
    shown["waiting_for"] = state.ok() ? "" : state.error().context;
    json::value value = std::move(shown);
    co_return value;
  }
  co_return co_await admin.call(std::move(request.verb), std::move(request.args));
}

asio::awaitable<base::Result<json::value>> App::Parts::flush_for_client(json::object args) {
  auto cache = admin::required_number(args, "cache", coord::kMaxCacheId);
  if (!cache) co_return cache.error();
  auto delay = admin::number_argument(args, "delay_s", 0, UINT32_MAX);
  if (!delay) co_return delay.error();
  coord::FlushRequest flush(static_cast<base::CacheId>(*cache), coord::FlushOrigin::kMemcacheClient,
                            admin::text_argument(args, "credential").value_or(""), "flush_all");
  flush.proxy = admin::text_argument(args, "proxy").value_or("");
  flush.delay_seconds = static_cast<uint32_t>(*delay);
  auto asked = admin::number_argument(args, "asked_ns", 0, INT64_MAX);
  if (!asked) co_return asked.error();
  if (*asked != 0) flush.asked = base::WallTime{static_cast<int64_t>(*asked)};
  // A proxy may not have heard yet that the credential is gone.
  if (const std::string user = flush.who; !user.empty()) {
    const coord::Credential* credential = coordinator.tenants().credential(user);
    if (credential == nullptr || credential->cache != flush.cache || !credential->flush) {
      co_return base::Error(base::ErrorCode::kPermission, "flush_all not allowed",
                            base::Origin::kClient);
    }
  }
  auto done = co_await coordinator.flushes().flush(std::move(flush));
  if (!done && done.code() == base::ErrorCode::kTimeout) {
    json::value pending = json::object{{"pending", true}};  // it will complete
    co_return pending;
  }
  if (!done) co_return done.error();
  json::value value = json::object{{"generation", *done}};
  co_return value;
}

}  // namespace agent::app
