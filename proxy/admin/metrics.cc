#include "proxy/admin/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "base/telemetry/exposition.h"
#include "base/telemetry/log.h"
#include "base/telemetry/top_keys.h"
#include "version.h"

namespace proxy::admin {

using base::telemetry::BackendCells;
using base::telemetry::Cell;
using base::telemetry::DetailBlock;
using base::telemetry::FamilyBuilder;
using base::telemetry::Histogram;
using base::telemetry::Labels;
using base::telemetry::LatencyKind;
using base::telemetry::Leg;
using base::telemetry::SegmentWriter;
using base::telemetry::WorkerBlock;
using prometheus::MetricFamily;
using prometheus::MetricType;

namespace {

using Families = std::vector<MetricFamily>;

constexpr std::array<double, 14> kBounds = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                            0.01,    0.025,  0.05,    0.1,    0.25,  0.5,    1.0};

void add_histogram(FamilyBuilder& builder, Labels labels, const Histogram& histogram) {
  std::vector<std::pair<double, uint64_t>> buckets;
  for (const double bound : kBounds) {
    const base::Duration edge(std::llround(bound * 1e9));
    buckets.emplace_back(bound, histogram.count_below(edge));
  }
  builder.add_histogram(std::move(labels), buckets, histogram.count(),
                        double(histogram.sum_ns()) / 1e9);
}

class Reader {
 public:
  explicit Reader(SegmentWriter& segment) : segment_(segment) {}

  uint64_t sum(const std::function<uint64_t(const WorkerBlock&)>& of) const {
    uint64_t total = 0;
    for (uint32_t w = 0; w < segment_.header().workers; ++w) total += of(segment_.worker(w));
    return total;
  }
  uint64_t sum(Cell WorkerBlock::*cell) const {
    return sum([cell](const WorkerBlock& block) { return (block.*cell).get(); });
  }
  uint64_t backend_sum(size_t backend, Cell BackendCells::*cell) const {
    return sum([=](const WorkerBlock& b) { return (b.backends[backend].*cell).get(); });
  }
  uint64_t detail_sum(const std::function<uint64_t(const DetailBlock&)>& of) const {
    uint64_t total = 0;
    for (uint32_t w = 0; w < segment_.header().workers; ++w) total += of(segment_.detail(w));
    return total;
  }
  Histogram latencies(size_t backend, LatencyKind kind) const {
    Histogram sum;
    for (uint32_t w = 0; w < segment_.header().workers; ++w) {
      segment_.add_latencies(w, static_cast<uint32_t>(backend), kind, sum);
    }
    return sum;
  }
  base::telemetry::TopKeys top_keys() const {
    base::telemetry::TopKeys top;
    for (uint32_t w = 0; w < segment_.header().workers; ++w) {
      top.add(segment_.detail(w), segment_.worker(w).heartbeat_ns.get());
    }
    return top;
  }
  uint64_t latencies_lost() const { return segment_.latencies_lost(); }
  size_t backends() const { return segment_.header().backend_count.get(); }
  Labels backend_label(size_t i) const {
    return {{"backend", std::string(segment_.header().backend_names[i].data())}};
  }

 private:
  SegmentWriter& segment_;
};

void add_one(Families& families, const char* name, const char* help, MetricType type,
             double value) {
  FamilyBuilder builder(name, help, type);
  builder.add({}, value);
  families.push_back(builder.build());
}

void add_clients(Families& families, const Reader& reader) {
  const auto counter = [&](const char* name, const char* help, Cell WorkerBlock::*cell) {
    add_one(families, name, help, MetricType::Counter, double(reader.sum(cell)));
  };
  const auto gauge = [&](const char* name, const char* help, Cell WorkerBlock::*cell) {
    add_one(families, name, help, MetricType::Gauge, double(reader.sum(cell)));
  };
  gauge("mcguard_proxy_connections", "Open client connections.", &WorkerBlock::connections);
  gauge("mcguard_proxy_authenticated_connections", "Open client connections that authenticated.",
        &WorkerBlock::authenticated);
  counter("mcguard_proxy_connections_opened_total", "Client connections accepted.",
          &WorkerBlock::connections_opened);
  counter("mcguard_proxy_connections_closed_total", "Client connections closed.",
          &WorkerBlock::connections_closed);
  counter("mcguard_proxy_connections_taken_over_total",
          "Client connections taken over from the process before this one.",
          &WorkerBlock::connections_taken_over);
  counter("mcguard_proxy_connections_handed_over_total",
          "Client connections that the next process has taken over from this one.",
          &WorkerBlock::connections_handed_over);
  counter("mcguard_proxy_connections_refused_total",
          "Client connections refused by a limit or for want of descriptors.",
          &WorkerBlock::connections_refused);
  counter("mcguard_proxy_received_bytes_total", "Bytes read from clients.",
          &WorkerBlock::bytes_read);
  counter("mcguard_proxy_sent_bytes_total", "Bytes written to clients.",
          &WorkerBlock::bytes_written);
  counter("mcguard_proxy_get_hits_total", "Keys read and found.", &WorkerBlock::get_hits);
  counter("mcguard_proxy_get_misses_total",
          "Keys read and not found, or answered as misses for want of a backend.",
          &WorkerBlock::get_misses);
  counter("mcguard_proxy_clients_evicted_total",
          "Client addresses dropped from the table of clients for want of room.",
          &WorkerBlock::clients_evicted);
  counter("mcguard_proxy_newcomers_total",
          "Client addresses that authenticated, each at most once an hour.",
          &WorkerBlock::newcomers_written);
}

void add_requests(Families& families, const Reader& reader) {
  FamilyBuilder requests("mcguard_proxy_requests_total", "Client requests by operation.",
                         MetricType::Counter);
  for (size_t i = 0; i < base::telemetry::kOperationCount; ++i) {
    const auto operation = static_cast<base::telemetry::Operation>(i);
    requests.add({{"operation", std::string(base::telemetry::to_string(operation))}},
                 double(reader.sum([i](const WorkerBlock& b) { return b.requests[i].get(); })));
  }
  families.push_back(requests.build());
  FamilyBuilder failures("mcguard_proxy_errors_total",
                         "Requests not answered by a backend, and connections ended early, by "
                         "reason.",
                         MetricType::Counter);
  for (size_t i = 0; i < base::telemetry::kFailureCount; ++i) {
    const auto failure = static_cast<base::telemetry::Failure>(i);
    failures.add(
        {{"reason", std::string(base::telemetry::to_string(failure))}},
        double(reader.sum([&](const WorkerBlock& b) { return b.failure(failure).get(); })));
  }
  families.push_back(failures.build());
}

void add_samples(Families& families, const Reader& reader) {
  const auto total = [&](Cell DetailBlock::*cell) {
    return double(reader.detail_sum([=](const DetailBlock& d) { return (d.*cell).get(); }));
  };
  add_one(families, "mcguard_proxy_key_samples_total", "Keys that were sampled.",
          MetricType::Counter, total(&DetailBlock::key_samples));
  add_one(families, "mcguard_proxy_busiest_key_share",
          "The busiest key's share of the keys asked for in the last 30 to 60 s, by samples.",
          MetricType::Gauge, reader.top_keys().largest_share());
  add_one(families, "mcguard_proxy_slow_requests_total",
          "Requests that took at least as long as samples.slow.", MetricType::Counter,
          total(&DetailBlock::slow_seen));
  add_one(families, "mcguard_proxy_slow_samples_total", "Slow requests that were kept.",
          MetricType::Counter, total(&DetailBlock::slow_written));
}

// The same replies twice: by what clients asked for, and by backend.
void add_latencies(Families& families, const Reader& reader) {
  FamilyBuilder requests("mcguard_proxy_request_duration_seconds",
                         "Time from reading a request to its backend's reply.",
                         MetricType::Histogram);
  FamilyBuilder backends("mcguard_proxy_backend_request_duration_seconds",
                         "Time from sending a request to a backend to its reply.",
                         MetricType::Histogram);
  std::array<Histogram, base::telemetry::kOperationCount> operations;
  for (size_t b = 0; b < reader.backends(); ++b) {
    std::array<Histogram, base::telemetry::kLegCount> legs;
    for (size_t i = 0; i < LatencyKind::kCount; ++i) {
      const auto kind = LatencyKind::nth(i);
      const Histogram latencies = reader.latencies(b, kind);
      if (latencies.count() == 0) continue;
      legs[size_t(kind.leg())].merge(latencies);
      if (!kind.is_fence()) operations[i].merge(latencies);
    }
    for (const Leg leg : {Leg::kRead, Leg::kWrite, Leg::kFence}) {
      Labels labels = reader.backend_label(b);
      labels.emplace_back("leg", std::string(base::telemetry::to_string(leg)));
      add_histogram(backends, std::move(labels), legs[size_t(leg)]);
    }
  }
  for (size_t i = 0; i < operations.size(); ++i) {
    if (operations[i].count() == 0) continue;
    const auto operation = static_cast<base::telemetry::Operation>(i);
    add_histogram(requests, {{"operation", std::string(base::telemetry::to_string(operation))}},
                  operations[i]);
  }
  families.push_back(requests.build());
  families.push_back(backends.build());
  add_one(families, "mcguard_proxy_latencies_lost_total",
          "Replies that no histogram counts, for want of room where the telemetry file lies.",
          MetricType::Counter, double(reader.latencies_lost()));
}

void add_backends(Families& families, const Reader& reader, base::Instant now) {
  const auto each = [&](const char* name, const char* help, MetricType type,
                        Cell BackendCells::*cell) {
    FamilyBuilder builder(name, help, type);
    for (size_t i = 0; i < reader.backends(); ++i) {
      builder.add(reader.backend_label(i), double(reader.backend_sum(i, cell)));
    }
    families.push_back(builder.build());
  };
  each("mcguard_proxy_backend_requests_total", "Requests sent to a backend.", MetricType::Counter,
       &BackendCells::requests);
  each("mcguard_proxy_backend_failures_total", "Requests to a backend that failed.",
       MetricType::Counter, &BackendCells::failures);
  each("mcguard_proxy_backend_connects_total", "Attempts to connect to a backend.",
       MetricType::Counter, &BackendCells::connects);
  each("mcguard_proxy_backend_connect_failures_total",
       "Attempts to connect to a backend that failed.", MetricType::Counter,
       &BackendCells::connect_failures);
  each("mcguard_proxy_backend_connections", "Connections to a backend that answer.",
       MetricType::Gauge, &BackendCells::connected);
  each("mcguard_proxy_backend_requests_in_flight", "Requests that wait for a backend.",
       MetricType::Gauge, &BackendCells::in_flight);
  each("mcguard_proxy_backend_sent_bytes_total", "Bytes sent to a backend.", MetricType::Counter,
       &BackendCells::bytes_sent);
  each("mcguard_proxy_backend_received_bytes_total", "Bytes received from a backend.",
       MetricType::Counter, &BackendCells::bytes_received);
  FamilyBuilder age("mcguard_proxy_backend_fence_age_seconds",
                    "Age of the last confirming read of a backend's fence record, of the worker "
                    "that is furthest behind.",
                    MetricType::Gauge);
  for (size_t i = 0; i < reader.backends(); ++i) {
    uint64_t oldest = UINT64_MAX;
    reader.sum([&](const WorkerBlock& b) {
      oldest = std::min(oldest, b.backends[i].fence_confirmed_ns.get());
      return uint64_t{0};
    });
    if (oldest != 0) {
      age.add(reader.backend_label(i), double(now.ns - static_cast<int64_t>(oldest)) * 1e-9);
    }
  }
  families.push_back(age.build());
}

// Of the worker that is furthest behind.
double heartbeat_age(SegmentWriter& segment, base::Instant now) {
  uint64_t oldest = UINT64_MAX;
  for (uint32_t w = 0; w < segment.header().workers; ++w) {
    oldest = std::min(oldest, segment.worker(w).heartbeat_ns.get());
  }
  // A worker that has not begun to turn, or turned after `now` was read, is not behind.
  if (oldest == 0 || static_cast<int64_t>(oldest) > now.ns) return 0;
  return static_cast<double>(now.ns - static_cast<int64_t>(oldest)) * 1e-9;
}

void add_state(Families& families, SegmentWriter& segment, bool ready, base::Instant now) {
  const auto& header = segment.header();
  FamilyBuilder info("mcguard_proxy_info", "Version and identity; always 1.", MetricType::Gauge);
  info.add({{"version", MCGUARD_VERSION},
            {"proxy", std::string(header.proxy.data())},
            {"cluster", std::string(header.cluster.data())}},
           1);
  families.push_back(info.build());
  const auto gauge = [&](const char* name, const char* help, double value) {
    add_one(families, name, help, MetricType::Gauge, value);
  };
  gauge("mcguard_proxy_ready", "1 when configured, with a committed epoch and not draining.",
        ready ? 1 : 0);
  gauge("mcguard_proxy_committed_epoch", "The epoch that is served.",
        double(header.committed_epoch.get()));
  gauge("mcguard_proxy_prepared_epoch", "The epoch that is prepared; 0: none.",
        double(header.prepared_epoch.get()));
  gauge("mcguard_proxy_flush_sequence", "Number up to which all flushes are applied.",
        double(header.flush_sequence.get()));
  gauge("mcguard_proxy_config_generation", "Generation of the configuration.",
        double(header.config_generation.get()));
  gauge("mcguard_proxy_draining", "1 while draining.", double(header.draining.get()));
  gauge("mcguard_proxy_workers", "Worker threads.", double(header.workers));
  gauge("mcguard_proxy_heartbeat_age_seconds",
        "Time since the last turn of the worker that is furthest behind.",
        heartbeat_age(segment, now));
  const auto spent = [&](const char* name, const char* help, Cell DetailBlock::*cell) {
    FamilyBuilder builder(name, help, MetricType::Counter);
    for (uint32_t w = 0; w < header.workers; ++w) {
      const uint64_t total = (segment.detail(w).*cell).get();
      if (total == base::telemetry::kUnknownTime) continue;
      builder.add({{"worker", std::to_string(w)}}, double(total) * 1e-9);
    }
    families.push_back(builder.build());
  };
  spent("mcguard_proxy_worker_run_seconds_total", "Time for which a worker's thread worked.",
        &DetailBlock::ran_ns);
  spent("mcguard_proxy_worker_wait_seconds_total",
        "Time for which a worker's thread had work and waited for a core.",
        &DetailBlock::waited_ns);
  const auto totals = base::log::totals();
  FamilyBuilder lines("mcguard_proxy_log_lines_total", "Log lines by what became of them.",
                      MetricType::Counter);
  lines.add({{"fate", "written"}}, double(totals.written));
  lines.add({{"fate", "suppressed"}}, double(totals.suppressed));
  lines.add({{"fate", "dropped"}}, double(totals.dropped));
  families.push_back(lines.build());
}

}  // namespace

Families collect_metrics(SegmentWriter& segment, bool ready, base::Instant now) {
  Families families;
  const Reader reader(segment);
  add_state(families, segment, ready, now);
  // A turn changes the number twice.
  add_one(families, "mcguard_proxy_loop_turns_total", "Turns of the workers' event loops.",
          MetricType::Counter, double(reader.sum(&WorkerBlock::sequence) / 2));
  add_clients(families, reader);
  add_requests(families, reader);
  add_latencies(families, reader);
  add_samples(families, reader);
  add_backends(families, reader, now);
  return families;
}

void add_reload_metrics(Families& families, bool done) {
  add_one(families, "mcguard_proxy_config_last_reload_successful",
          "1 unless the last SIGHUP changed nothing because something was wrong.",
          MetricType::Gauge, done ? 1 : 0);
}

void add_handover_metrics(Families& families, uint64_t failed) {
  add_one(families, "mcguard_proxy_handovers_failed_total",
          "Attempts of a new process to take over from this one that failed.", MetricType::Counter,
          static_cast<double>(failed));
}

void add_tls_metrics(Families& families, const TlsCounts& counts, const TlsListener* wanted,
                     const TlsContext* context, int64_t now) {
  add_one(families, "mcguard_proxy_tls_connections", "Open client connections by TLS.",
          MetricType::Gauge, double(counts.connections.load()));
  add_one(families, "mcguard_proxy_tls_handshakes_total", "TLS handshakes completed.",
          MetricType::Counter, double(counts.handshakes.load()));
  add_one(families, "mcguard_proxy_tls_resumed_handshakes_total",
          "TLS handshakes that resumed a session.", MetricType::Counter,
          double(counts.resumed.load()));
  FamilyBuilder failures("mcguard_proxy_tls_failures_total",
                         "TLS connections that failed, in the handshake or after, by reason.",
                         MetricType::Counter);
  for (size_t i = 0; i < kTlsFailureCount; ++i) {
    failures.add({{"reason", std::string(to_string(static_cast<TlsFailure>(i)))}},
                 double(counts.failures[i].load()));
  }
  families.push_back(failures.build());
  if (wanted == nullptr) return;
  FamilyBuilder fine("mcguard_proxy_tls_certificate_ok",
                     "1 for a certificate in use that is valid now, 0 for one that is not.",
                     MetricType::Gauge);
  for (size_t i = 0; i < wanted->certificates.size(); ++i) {
    const bool ok = context != nullptr && context->certificates()[i].is_valid_at(now);
    fine.add({{"file", wanted->certificates[i].certificate.path}}, ok ? 1 : 0);
  }
  families.push_back(fine.build());
  if (context == nullptr) return;
  FamilyBuilder expiry("mcguard_proxy_tls_certificate_not_after_timestamp_seconds",
                       "When a certificate in use expires.", MetricType::Gauge);
  for (const TlsContext::Certificate& certificate : context->certificates()) {
    expiry.add({{"file", certificate.file.path}}, double(certificate.not_after));
  }
  families.push_back(expiry.build());
}

}  // namespace proxy::admin
