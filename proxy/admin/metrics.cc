#include "proxy/admin/metrics.h"

#include <array>
#include <functional>

#include "base/telemetry/exposition.h"
#include "base/telemetry/log.h"
#include "version.h"

namespace proxy::admin {

using base::telemetry::BackendCells;
using base::telemetry::Cell;
using base::telemetry::FamilyBuilder;
using base::telemetry::Labels;
using base::telemetry::Leg;
using base::telemetry::SegmentWriter;
using base::telemetry::WorkerBlock;
using prometheus::MetricFamily;
using prometheus::MetricType;

namespace {

using Families = std::vector<MetricFamily>;

constexpr std::array<double, 14> kBounds = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                            0.01,    0.025,  0.05,    0.1,    0.25,  0.5,    1.0};

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
    failures.add({{"reason", std::string(base::telemetry::to_string(failure))}},
                 double(reader.sum([i](const WorkerBlock& b) { return b.failures[i].get(); })));
  }
  families.push_back(failures.build());
}

void add_latency(FamilyBuilder& builder, const Reader& reader, size_t backend, Leg leg) {
  std::vector<std::pair<double, uint64_t>> buckets;
  for (const double bound : kBounds) buckets.emplace_back(bound, 0);
  uint64_t count = 0;
  for (size_t i = 0; i < base::telemetry::kHistogramBuckets; ++i) {
    const uint64_t n = reader.sum(
        [=](const WorkerBlock& b) { return b.backends[backend].latency[size_t(leg)][i].get(); });
    if (n == 0) continue;
    count += n;
    const double upper = double(base::telemetry::histogram_upper_bound_ns(i)) * 1e-9;
    for (auto& [bound, below] : buckets) {
      if (upper <= bound) below += n;
    }
  }
  const uint64_t sum_ns = reader.sum(
      [=](const WorkerBlock& b) { return b.backends[backend].latency_sum_ns[size_t(leg)].get(); });
  Labels labels = reader.backend_label(backend);
  labels.emplace_back("leg", std::string(base::telemetry::to_string(leg)));
  builder.add_histogram(std::move(labels), buckets, count, double(sum_ns) * 1e-9);
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
  FamilyBuilder latency("mcguard_proxy_backend_request_duration_seconds",
                        "Time from sending a request to a backend to its reply.",
                        MetricType::Histogram);
  for (size_t i = 0; i < reader.backends(); ++i) {
    uint64_t oldest = UINT64_MAX;
    reader.sum([&](const WorkerBlock& b) {
      oldest = std::min(oldest, b.backends[i].fence_confirmed_ns.get());
      return uint64_t{0};
    });
    if (oldest != 0) {
      age.add(reader.backend_label(i), double(now.ns - static_cast<int64_t>(oldest)) * 1e-9);
    }
    for (const Leg leg : {Leg::kRead, Leg::kWrite, Leg::kFence}) {
      add_latency(latency, reader, i, leg);
    }
  }
  families.push_back(age.build());
  families.push_back(latency.build());
}

void add_state(Families& families, SegmentWriter& segment, bool ready) {
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
  add_state(families, segment, ready);
  add_clients(families, reader);
  add_requests(families, reader);
  add_backends(families, reader, now);
  return families;
}

void add_tls_metrics(Families& families, const TlsCounts& counts, const TlsContext* context) {
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
  if (context == nullptr) return;
  FamilyBuilder expiry("mcguard_proxy_tls_certificate_not_after_timestamp_seconds",
                       "When a certificate in use expires.", MetricType::Gauge);
  for (const TlsContext::Certificate& certificate : context->certificates()) {
    expiry.add({{"file", certificate.file}}, double(certificate.not_after));
  }
  families.push_back(expiry.build());
}

}  // namespace proxy::admin
