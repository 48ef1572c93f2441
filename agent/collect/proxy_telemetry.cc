#include "agent/collect/proxy_telemetry.h"

#include <algorithm>
#include <limits>

namespace agent::collect {
namespace {

using base::telemetry::BackendCells;
using base::telemetry::kHistogramBuckets;
using base::telemetry::kPaceSlot;
using base::telemetry::kPaceSlots;
using base::telemetry::Leg;
using base::telemetry::WorkerBlock;

// A worker may still be writing into the slots just ended.
constexpr int64_t kSettlingSlots = 2;
constexpr uint32_t kSlotMask = (1u << 24) - 1;

double age(base::Instant now, uint64_t at_ns) {
  if (at_ns == 0) return 0;
  return std::max(0.0, base::to_seconds(now - base::Instant{static_cast<int64_t>(at_ns)}));
}

double bucket_seconds(size_t bucket) {
  // The middle of the bucket; its own width is the error (1.6 %).
  const int64_t upper = base::telemetry::histogram_upper_bound_ns(bucket);
  const int64_t lower = bucket == 0 ? 0 : base::telemetry::histogram_upper_bound_ns(bucket - 1);
  if (upper == std::numeric_limits<int64_t>::max()) return static_cast<double>(lower) / 1e9;
  return (static_cast<double>(lower) + static_cast<double>(upper)) / 2e9;
}

double quantile(const std::vector<uint64_t>& buckets, uint64_t count, double share) {
  const auto rank = static_cast<uint64_t>(share * static_cast<double>(count));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (seen > rank) return bucket_seconds(i);
  }
  return 0;
}

uint64_t minus(uint64_t now, uint64_t before) {
  return now > before ? now - before : 0;
}

}  // namespace

LatencyFigures latency_figures(const std::vector<uint64_t>& buckets) {
  LatencyFigures figures;
  uint64_t slow = 0;
  const size_t slow_from = base::telemetry::histogram_bucket(base::telemetry::kSlowBound.count());
  for (size_t i = 0; i < buckets.size(); ++i) {
    figures.count += buckets[i];
    if (i >= slow_from) slow += buckets[i];
  }
  if (figures.count == 0) return figures;
  figures.p50_seconds = quantile(buckets, figures.count, 0.50);
  figures.p99_seconds = quantile(buckets, figures.count, 0.99);
  figures.slow_share = static_cast<double>(slow) / static_cast<double>(figures.count);
  return figures;
}

ProxyTelemetry::ProxyTelemetry(std::string path, std::string cluster, std::string proxy)
    : path_(std::move(path)), cluster_(std::move(cluster)), proxy_(std::move(proxy)) {}

series::Sample ProxyTelemetry::sample(const char* name, base::Instant at, double value,
                                      const std::string& backend) const {
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
  history_.clear();
  backend_names_.clear();
  whole_ = base::Instant();
}

void ProxyTelemetry::read(pid_t pid, base::Instant now, std::vector<series::Sample>& out) {
  follow(pid);
  if (reader_ == nullptr) return;
  if (backend_names_.size() != reader_->header().backend_count.get()) {
    backend_names_ = reader_->backend_names();
  }
  bool whole = true;
  heartbeat_age_ = 0;
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    const WorkerBlock& worker = reader_->worker(i);
    heartbeat_age_ = std::max(heartbeat_age_, age(now, worker.heartbeat_ns.get()));
    const uint64_t sequence = worker.sequence.get();
    if ((sequence & 1) != 0 && sequence == sequences_[i]) whole = false;
    sequences_[i] = sequence;
  }
  if (whole || whole_.ns == 0) whole_ = now;
  telemetry_age_ = base::to_seconds(now - whole_);
  out.push_back(sample("proxy_heartbeat_age_seconds", now, heartbeat_age_));
  out.push_back(sample("telemetry_age_seconds", now, telemetry_age_));
  read_backends(now, out);
}

void ProxyTelemetry::read_backends(base::Instant now, std::vector<series::Sample>& out) {
  const int64_t newest = now.ns / kPaceSlot.count() - kSettlingSlots;
  if (next_pace_slot_ == 0) next_pace_slot_ = newest;
  next_pace_slot_ = std::max(next_pace_slot_, newest - static_cast<int64_t>(kPaceSlots) + 1);
  for (size_t b = 0; b < backend_names_.size(); ++b) {
    double oldest = 0;
    uint64_t connected = 0;
    for (uint32_t i = 0; i < reader_->workers(); ++i) {
      const BackendCells& cells = reader_->worker(i).backends[b];
      oldest = std::max(oldest, age(now, cells.oldest_in_flight_ns.get()));
      connected += cells.connected.get() != 0 ? 1 : 0;
    }
    const std::string& name = backend_names_[b];
    const double share = static_cast<double>(connected) / std::max(1u, reader_->workers());
    out.push_back(sample("backend_oldest_in_flight_seconds", now, oldest, name));
    out.push_back(sample("backend_connected", now, share, name));
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
      const auto& ring = reader_->worker(i).backends[backend].pace;
      const auto pace =
          base::telemetry::unpack_pace(ring[static_cast<size_t>(slot) % kPaceSlots].packed.get());
      if (pace.slot != (static_cast<uint64_t>(slot) & kSlotMask)) continue;
      slow += pace.slow;
      all += pace.slow + pace.fast;
    }
    if (all == 0) continue;
    const base::Instant end{(slot + 1) * kPaceSlot.count()};
    series::Sample each =
        sample("link_pace", end, static_cast<double>(slow), backend_names_[backend]);
    each.weight = static_cast<double>(all);
    out.push_back(std::move(each));
  }
}

ProxyTelemetry::Counters ProxyTelemetry::take(base::Instant now) const {
  Counters counters;
  counters.at = now;
  counters.backends.resize(backend_names_.size());
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    const WorkerBlock& worker = reader_->worker(i);
    for (const auto& cell : worker.requests) counters.requests += cell.get();
    for (const auto& cell : worker.failures) counters.failures += cell.get();
    counters.opened += worker.connections_opened.get();
    for (size_t b = 0; b < backend_names_.size(); ++b) {
      const BackendCells& cells = worker.backends[b];
      Counters::Backend& sum = counters.backends[b];
      sum.requests += cells.requests.get();
      sum.failures += cells.failures.get();
      sum.buckets.resize(kHistogramBuckets, 0);
      for (const Leg leg : {Leg::kRead, Leg::kWrite}) {
        const auto& histogram = cells.latency[static_cast<size_t>(leg)];
        for (size_t k = 0; k < kHistogramBuckets; ++k) sum.buckets[k] += histogram[k].get();
      }
    }
  }
  return counters;
}

void ProxyTelemetry::measure(base::Instant now, ProxyFigures& figures,
                             std::map<std::string, BackendShare>& backends,
                             std::vector<series::Sample>& out) {
  if (reader_ == nullptr) return;
  Counters latest = take(now);
  figures.connections = 0;
  for (uint32_t i = 0; i < reader_->workers(); ++i) {
    figures.connections += reader_->worker(i).connections.get();
  }
  figures.epoch = static_cast<uint32_t>(reader_->header().committed_epoch.get());
  figures.prepared_epoch = static_cast<uint32_t>(reader_->header().prepared_epoch.get());
  figures.heartbeat_age_seconds = heartbeat_age_;
  figures.telemetry_age_seconds = telemetry_age_;
  figures.measured = true;
  if (!history_.empty()) {
    const uint64_t opened = minus(latest.opened, history_.back().opened);
    out.push_back(sample("proxy_connections_opened", now, static_cast<double>(opened)));
    const Counters& before = history_.front();
    const double seconds = base::to_seconds(now - before.at);
    std::vector<uint64_t> all(kHistogramBuckets, 0);
    for (size_t b = 0; b < latest.backends.size() && b < before.backends.size(); ++b) {
      BackendShare& share = backends[backend_names_[b]];
      share.requests += minus(latest.backends[b].requests, before.backends[b].requests);
      share.failures += minus(latest.backends[b].failures, before.backends[b].failures);
      share.seconds = std::max(share.seconds, seconds);
      share.buckets.resize(kHistogramBuckets, 0);
      for (size_t k = 0; k < kHistogramBuckets; ++k) {
        const uint64_t n = minus(latest.backends[b].buckets[k], before.backends[b].buckets[k]);
        share.buckets[k] += n;
        all[k] += n;
      }
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
  }
  history_.push_back(std::move(latest));
  if (history_.size() > kFigureSeconds + 1) history_.pop_front();
}

}  // namespace agent::collect
