#include "agent/collect/proxy_telemetry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace agent::collect {
namespace {

using base::telemetry::BackendCounters;
using base::telemetry::Failure;
using base::telemetry::Histogram;
using base::telemetry::kPaceSlot;
using base::telemetry::kPaceSlots;
using base::telemetry::kUnknownTime;
using base::telemetry::LatencyKind;
using base::telemetry::WorkerCounters;
using base::telemetry::WorkerView;
using series::Label;

// A worker may still be writing into the slots just ended.
constexpr int64_t kSettlingSlots = 2;
constexpr uint32_t kSlotMask = (1u << 24) - 1;
// A link's oldest request is told at each reading from this age on, else so often.
constexpr double kWaits = 0.1;  // seconds
constexpr base::Duration kTellEvery = std::chrono::seconds(1);
// A proxy is alive whose heartbeat, and last whole reading, is younger. Each worker turns every 50 ms.
constexpr base::Duration kAlive = std::chrono::milliseconds(500);

// What a request meets through no fault of whoever sent it.
constexpr std::array kOurFailures = {
    Failure::kBackendDown, Failure::kBackendTimeout, Failure::kBackendReset, Failure::kBackendError,
    Failure::kSlotMoving,  Failure::kFenced,         Failure::kQueueFull,    Failure::kOverload};

// More is asked of the proxy than it may take. Connections that it refuses say nothing of what is asked:
// clients that lost another proxy all come at once.
constexpr std::array kRefusals = {Failure::kMemoryLimit, Failure::kMemoryShort,
                                  Failure::kRequestLimit};
// More is asked of a backend than it answers: by too many requests, or because it has become slow.
constexpr std::array kQueueRefusals = {Failure::kQueueFull, Failure::kOverload};

constexpr size_t kMostClients = 10;
// Clients are looked at each second while a worker is as busy as this or requests are turned away, else
// seldom.
constexpr double kBusy = 0.5;
constexpr base::Duration kLookSeldom = std::chrono::seconds(10);

// Of what is told many times a second.
const Label kHeartbeatAge("proxy_heartbeat_age_seconds"), kTelemetryAge("telemetry_age_seconds"),
    kProxyBusy("proxy_busy"), kProxyWaited("proxy_waited"),
    kOldest("backend_oldest_in_flight_seconds"), kConnected("backend_connected"),
    kPace("link_pace");

double age(base::Instant now, uint64_t at_ns) {
  if (at_ns == 0) return 0;
  return std::max(0.0, base::to_seconds(now - base::Instant{static_cast<int64_t>(at_ns)}));
}

uint64_t minus(uint64_t now, uint64_t before) {
  return now > before ? now - before : 0;
}

}  // namespace

LatencyFigures latency_figures(const Histogram& latencies) {
  LatencyFigures figures;
  figures.count = latencies.count();
  if (figures.count == 0) return figures;
  figures.p50_seconds = base::to_seconds(latencies.quantile(0.50));
  figures.p99_seconds = base::to_seconds(latencies.quantile(0.99));
  const uint64_t fast = latencies.count_below(base::telemetry::kSlowBound);
  figures.slow_share =
      static_cast<double>(figures.count - fast) / static_cast<double>(figures.count);
  return figures;
}

ProxyTelemetry::ProxyTelemetry(std::string path, const std::string& cluster,
                               const std::string& proxy)
    : path_(std::move(path)), cluster_(cluster), proxy_(proxy) {}

series::Sample ProxyTelemetry::sample(const Label& name, base::Instant at, double value,
                                      const Label& backend) const {
  series::Sample result;
  result.key.name = name;
  result.key.cluster = cluster_;
  result.key.proxy = proxy_;
  result.key.backend = backend;
  result.at = at;
  result.value = value;
  return result;
}

void ProxyTelemetry::follow(pid_t pid) {
  if (pid == 0 || opened_for_ == pid) return;
  auto opened = base::telemetry::SegmentReader::open(path_);
  if (!opened.ok() || (*opened)->header().pid != pid) return;  // not written yet
  reader_ = std::move(*opened);
  opened_for_ = pid;
  sequences_.assign(reader_->workers(), 0);
  spent_.assign(reader_->workers(), Spent());
  clients_.reset();
  looked_at_clients_ = base::Instant();
  history_.clear();
  backend_names_.clear();
  told_.clear();
  whole_ = base::Instant();
}

void ProxyTelemetry::read(pid_t pid, base::Instant now, std::vector<series::Sample>& out) {
  follow(pid);
  if (reader_ == nullptr) return;
  if (backend_names_.size() != reader_->header().backend_count.get()) {
    const std::vector<std::string> names = reader_->backend_names();
    backend_names_.assign(names.begin(), names.end());
    told_.assign(backend_names_.size(), Told());
  }
  bool whole = true;
  heartbeat_age_ = 0;
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    const WorkerCounters& worker = reader_->worker(i).counters;
    heartbeat_age_ = std::max(heartbeat_age_, age(now, worker.heartbeat_ns.get()));
    const uint64_t sequence = worker.sequence.get();
    if ((sequence & 1) != 0 && sequence == sequences_[i]) whole = false;
    sequences_[i] = sequence;
  }
  if (whole || whole_.ns == 0) whole_ = now;
  telemetry_age_ = base::to_seconds(now - whole_);
  out.push_back(sample(kHeartbeatAge, now, heartbeat_age_));
  out.push_back(sample(kTelemetryAge, now, telemetry_age_));
  read_workers(now, out);
  read_backends(now, out);
}

bool ProxyTelemetry::shows(const coord::ProxyStatus& known, base::Instant now) const {
  if (reader_ == nullptr || known.pid != opened_for_ || now - whole_ > kAlive) return false;
  if (heartbeat_age_ > base::to_seconds(kAlive)) return false;
  const base::telemetry::SegmentHeader& header = reader_->header();
  return header.committed_epoch.get() == known.committed &&
         header.prepared_epoch.get() == known.prepared &&
         header.flush_sequence.get() == known.flush_sequence &&
         header.config_generation.get() == known.config_generation &&
         (header.draining.get() != 0) == known.draining;
}

// Clients of the busiest wait, whatever the others do, and so do those of the one that waits most for a
// core. A worker that stands still tells nothing.
void ProxyTelemetry::read_workers(base::Instant now, std::vector<series::Sample>& out) {
  double ran = 0, wanted = -1, most_waited = 0;
  bool is_waiting_known = true;
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    Spent spent;
    reader_->consistent(i, [&](const WorkerView&) {
      const base::telemetry::DetailBlock& detail = reader_->detail(i);
      spent = {detail.spent_at_ns.get(), detail.ran_ns.get(), detail.waited_ns.get()};
    });
    if (spent.at_ns <= spent_[i].at_ns) continue;
    const Spent before = std::exchange(spent_[i], spent);
    if (before.at_ns == 0) continue;
    const auto passed = static_cast<double>(spent.at_ns - before.at_ns);
    const double worked =
        std::min(1.0, static_cast<double>(minus(spent.ran_ns, before.ran_ns)) / passed);
    const bool known = spent.waited_ns != kUnknownTime && before.waited_ns != kUnknownTime;
    is_waiting_known = is_waiting_known && known;
    const double waited =
        known ? static_cast<double>(minus(spent.waited_ns, before.waited_ns)) / passed : 0;
    most_waited = std::max(most_waited, std::min(1.0, waited));
    if (std::min(1.0, worked + waited) <= wanted) continue;
    ran = worked;
    wanted = std::min(1.0, worked + waited);
  }
  if (wanted < 0) return;
  most_wanted_ = std::max(most_wanted_, wanted);
  // To a thousandth: shorter where it is recorded.
  const auto rounded = [](double share) { return std::round(share * 1000) / 1000; };
  series::Sample busy = sample(kProxyBusy, now, rounded(ran));
  busy.weight = rounded(wanted);
  out.push_back(std::move(busy));
  if (is_waiting_known) out.push_back(sample(kProxyWaited, now, rounded(most_waited)));
}

// While nothing is amiss with a link it is worth a word a second.
bool ProxyTelemetry::is_news(Told& told, base::Instant now, double oldest, double connected) {
  const bool waits = oldest >= kWaits;
  const bool is_due = told.at.ns == 0 || now - told.at >= kTellEvery - kTellEvery / 20;
  if (!is_due && !waits && !told.waits && connected == told.connected) return false;
  told = {now, waits, connected};
  return true;
}

void ProxyTelemetry::read_backends(base::Instant now, std::vector<series::Sample>& out) {
  const int64_t newest = now.ns / kPaceSlot.count() - kSettlingSlots;
  if (next_pace_slot_ == 0) next_pace_slot_ = newest;
  next_pace_slot_ = std::max(next_pace_slot_, newest - static_cast<int64_t>(kPaceSlots) + 1);
  for (size_t b = 0; b < backend_names_.size(); ++b) {
    double oldest = 0;
    uint64_t connected = 0;
    for (uint32_t i = 0; i < reader_->workers(); ++i) {
      const BackendCounters& cells = reader_->worker(i).backend(b).counters;
      oldest = std::max(oldest, age(now, cells.oldest_in_flight_ns.get()));
      connected += cells.connected.get() != 0 ? 1 : 0;
    }
    const Label& name = backend_names_[b];
    const double share = static_cast<double>(connected) / std::max(1u, reader_->workers());
    if (is_news(told_[b], now, oldest, share)) {
      out.push_back(sample(kOldest, now, oldest, name));
      out.push_back(sample(kConnected, now, share, name));
    }
    read_pace(b, now, out);
  }
  next_pace_slot_ = std::max(next_pace_slot_, newest);
}

// The slots since the last round in which anything happened.
void ProxyTelemetry::read_pace(size_t backend, base::Instant now,
                               std::vector<series::Sample>& out) {
  const int64_t newest = now.ns / kPaceSlot.count() - kSettlingSlots;
  for (int64_t slot = next_pace_slot_; slot < newest; ++slot) {
    uint64_t slow = 0;
    uint64_t all = 0;
    for (uint32_t i = 0; i < reader_->workers(); ++i) {
      const auto ring = reader_->worker(i).backend(backend).pace;
      const auto pace =
          base::telemetry::unpack_pace(ring[static_cast<size_t>(slot) % kPaceSlots].packed.get());
      if (pace.slot != (static_cast<uint64_t>(slot) & kSlotMask)) continue;
      slow += pace.slow;
      all += pace.slow + pace.fast;
    }
    if (all == 0) continue;
    const base::Instant end{(slot + 1) * kPaceSlot.count()};
    series::Sample each = sample(kPace, end, static_cast<double>(slow), backend_names_[backend]);
    each.weight = static_cast<double>(all);
    out.push_back(std::move(each));
  }
}

void ProxyTelemetry::take(base::Instant now, Counters& counters) const {
  std::vector<Counters::Backend> backends = std::move(counters.backends);
  counters = Counters();
  counters.at = now;
  backends.resize(backend_names_.size());
  for (Counters::Backend& backend : backends) {
    backend.requests = backend.failures = 0;
    backend.latencies.clear();
  }
  counters.backends = std::move(backends);
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    const WorkerView worker = reader_->worker(i);
    for (const auto& cell : worker.counters.requests) counters.requests += cell.get();
    for (const auto& cell : worker.failures) counters.failures += cell.get();
    for (const Failure failure : kOurFailures) counters.failed += worker.failure(failure);
    for (const Failure failure : kRefusals) counters.refused += worker.failure(failure);
    for (const Failure failure : kQueueRefusals) counters.unqueued += worker.failure(failure);
    counters.opened += worker.counters.connections_opened.get();
    for (size_t b = 0; b < backend_names_.size(); ++b) {
      const BackendCounters& cells = worker.backend(b).counters;
      Counters::Backend& sum = counters.backends[b];
      sum.requests += cells.requests.get();
      sum.failures += cells.failures.get();
    }
  }
  for (size_t b = 0; b < backend_names_.size(); ++b) {
    take_latencies(b, counters.backends[b].latencies);
  }
}

// Of all workers and kinds but the fence reads, which are the proxy's own.
void ProxyTelemetry::take_latencies(size_t backend, Histogram& sum) const {
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    for (size_t k = 0; k < LatencyKind::kCount; ++k) {
      const auto kind = LatencyKind::nth(k);
      if (kind.is_fence()) continue;
      reader_->add_latencies(i, static_cast<uint32_t>(backend), kind, sum);
    }
  }
}

void ProxyTelemetry::tell_clients(const Counters& latest, std::vector<series::Sample>& out) {
  const base::Instant next = looked_at_clients_ + kLookSeldom - std::chrono::milliseconds(500);
  const bool refuses = !history_.empty() && (latest.refused > history_.back().refused ||
                                             latest.unqueued > history_.back().unqueued);
  const bool is_calm = most_wanted_ < kBusy && !refuses;
  if (is_calm && looked_at_clients_.ns != 0 && latest.at < next) return;
  most_wanted_ = 0;
  looked_at_clients_ = latest.at;
  const uint64_t refused = minus(latest.refused, std::exchange(told_refused_, latest.refused));
  const uint64_t unqueued = minus(latest.unqueued, std::exchange(told_unqueued_, latest.unqueued));
  const ClientRates::Rates rates = clients_.read(*reader_, latest.at, kMostClients);
  if (rates.seconds <= 0) return;
  out.push_back(sample("proxy_commands", latest.at, std::round(rates.commands)));
  out.push_back(sample("proxy_refused", latest.at, static_cast<double>(refused) / rates.seconds));
  out.push_back(sample("proxy_unqueued", latest.at, static_cast<double>(unqueued) / rates.seconds));
  for (const ClientRates::Client& client : rates.most) {
    series::Sample each = sample("client_commands", latest.at, std::round(client.commands));
    each.key.client = base::telemetry::address_text(client.address);
    out.push_back(std::move(each));
  }
}

void ProxyTelemetry::tell_window(const Counters& before, const Counters& latest,
                                 const LatencyFigures& latency,
                                 std::vector<series::Sample>& out) const {
  const auto tell = [&](const char* name, double value, uint64_t weight) {
    series::Sample each = sample(name, latest.at, value);
    each.weight = static_cast<double>(weight);
    if (weight > 0) out.push_back(std::move(each));
  };
  const uint64_t requests = minus(latest.requests, before.requests);
  const uint64_t canaries = minus(latest.canaries, before.canaries);
  tell("proxy_failures", static_cast<double>(minus(latest.failed, before.failed)),
       minus(requests, canaries));
  tell("proxy_p99_seconds", latency.p99_seconds, latency.count);
  // Of the process before, when this one has not been read yet.
  if (before.cpu_seconds > 0 && latest.cpu_seconds > before.cpu_seconds) {
    tell("proxy_processor_seconds", latest.cpu_seconds - before.cpu_seconds, requests);
  }
}

void ProxyTelemetry::measure(base::Instant now, ProxyFigures& figures,
                             std::map<std::string, BackendShare>& backends,
                             std::vector<series::Sample>& out, uint64_t canary_requests) {
  if (reader_ == nullptr) return;
  Counters latest = std::move(spare_);
  take(now, latest);
  latest.cpu_seconds = figures.cpu_seconds;
  latest.canaries = (history_.empty() ? 0 : history_.back().canaries) + canary_requests;
  out.push_back(sample("proxy_draining", now, reader_->header().draining.get() != 0 ? 1 : 0));
  figures.connections = 0;
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    figures.connections += reader_->worker(i).counters.connections.get();
  }
  figures.epoch = static_cast<uint32_t>(reader_->header().committed_epoch.get());
  figures.prepared_epoch = static_cast<uint32_t>(reader_->header().prepared_epoch.get());
  figures.heartbeat_age_seconds = heartbeat_age_;
  figures.telemetry_age_seconds = telemetry_age_;
  figures.measured = true;
  if (!history_.empty()) {
    const uint64_t opened = minus(latest.opened, history_.back().opened);
    out.push_back(sample("proxy_connections_opened", now, static_cast<double>(opened)));
    const uint64_t requests = minus(latest.requests, history_.back().requests);
    const double since = base::to_seconds(now - history_.back().at);
    if (since > 0) {
      const double clients = static_cast<double>(minus(requests, canary_requests));
      out.push_back(sample("proxy_requests", now, clients / since));
    }
    const Counters& before = history_.front();
    const double seconds = base::to_seconds(now - before.at);
    Histogram all;
    for (size_t b = 0; b < latest.backends.size() && b < before.backends.size(); ++b) {
      BackendShare& share = backends[backend_names_[b]];
      share.requests += minus(latest.backends[b].requests, before.backends[b].requests);
      share.failures += minus(latest.backends[b].failures, before.backends[b].failures);
      share.seconds = std::max(share.seconds, seconds);
      share.latencies.merge_since(before.backends[b].latencies, latest.backends[b].latencies);
      all.merge_since(before.backends[b].latencies, latest.backends[b].latencies);
    }
    if (seconds > 0) {
      figures.requests_per_second =
          static_cast<double>(minus(latest.requests, before.requests)) / seconds;
      figures.errors_per_second =
          static_cast<double>(minus(latest.failures, before.failures)) / seconds;
    }
    const LatencyFigures latency = latency_figures(all);
    figures.p50_seconds = latency.p50_seconds;
    figures.p99_seconds = latency.p99_seconds;
    figures.slow_share = latency.slow_share;
    tell_window(before, latest, latency, out);
  }
  tell_clients(latest, out);
  history_.push_back(std::move(latest));
  if (history_.size() > kFigureSeconds) {
    spare_ = std::move(history_.front());
    history_.pop_front();
  }
}

}  // namespace agent::collect
