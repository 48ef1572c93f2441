// latency_cost: what one latency costs the worker that records it, and how exact what is read back is.
//
// CPU time of one record into the histograms of the telemetry segment, less that of an empty loop over the
// same latencies, best of some rounds: into one histogram, and into those of 64 backends and three kinds in turn
// (then most of it is waiting for memory); beside it the same with the pace slot, as the proxy does for a
// reply. Latencies are drawn from six octaves around 300 µs. Instructions come from the kernel's counter
// where there is one and it may be read. Then the largest error of a quantile over the whole range, the
// pages that a segment of two workers takes, and what it costs to read all of the largest.
//
// Prints one line per figure, `name ours peer ratio bound ok|short`, and exits 1 when one is short; the
// rest as comments.
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/core/check.h"
#include "base/telemetry/segment.h"
#include "base/time/thread_time.h"
#include "tests/support/temp_dir.h"

namespace {

using base::ThreadTime;
using namespace base::telemetry;

constexpr size_t kCalls = 50'000'000;
constexpr int kRounds = 7;
constexpr size_t kLatencies = 4096;

// Instructions of this thread in user space.
class Instructions {
 public:
  Instructions() {
    perf_event_attr wanted{};
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.size = sizeof wanted;
    wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
    wanted.exclude_kernel = wanted.exclude_hv = 1;
    fd_ = static_cast<int>(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0));
  }
  ~Instructions() {
    if (fd_ >= 0) ::close(fd_);
  }
  Instructions(const Instructions&) = delete;
  Instructions& operator=(const Instructions&) = delete;
  // 0 where they cannot be counted.
  uint64_t read() const {
    uint64_t count = 0;
    return fd_ >= 0 && ::read(fd_, &count, sizeof count) == sizeof count ? count : 0;
  }

 private:
  int fd_;
};

struct Cost {
  double ns = std::numeric_limits<double>::max();
  double instructions = std::numeric_limits<double>::max();
};

// `call(i, ns)`: the best of some rounds.
template <class Call>
Cost measure(const std::vector<int64_t>& latencies, Call call) {
  const Instructions instructions;
  Cost best;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t counted = instructions.read();
    const base::Duration begun = ThreadTime::ran();
    for (size_t i = 0; i < kCalls; ++i) {
      call(i, latencies[i % kLatencies]);
      asm volatile("" ::: "memory");
    }
    best.ns = std::min(best.ns, base::to_seconds(ThreadTime::ran() - begun) * 1e9 / kCalls);
    best.instructions =
        std::min(best.instructions, static_cast<double>(instructions.read() - counted) / kCalls);
  }
  return best;
}

bool say(const std::string& name, double ours, double bound) {
  const bool ok = ours <= bound;
  std::printf("%s %.3f - - %.3f %s\n", name.c_str(), ours, bound, ok ? "ok" : "short");
  return ok;
}

bool say_cost(const std::string& name, const Cost& cost, const Cost& loop, double bound) {
  const bool ok = say(name + "_ns", std::max(0.0, cost.ns - loop.ns), bound);
  if (cost.instructions > 0) {
    std::printf("# %s: %.1f instructions\n", name.c_str(), cost.instructions - loop.instructions);
  }
  return ok;
}

std::vector<int64_t> draw_latencies() {
  std::mt19937_64 random(1);
  std::normal_distribution<double> bits(std::log2(300e3), 1);
  std::vector<int64_t> all(kLatencies);
  for (int64_t& ns : all) ns = static_cast<int64_t>(std::exp2(bits(random)));
  return all;
}

std::unique_ptr<SegmentWriter> make_segment(const test::TempDir& folder) {
  return SegmentWriter::create(folder.file("s.seg"), "bench-1", "bench", 2).value();
}

bool measure_records(const test::TempDir& folder) {
  const auto segment = make_segment(folder);
  LatencyWriter& writer = segment->latencies(0);
  WorkerBlock& block = segment->worker(0);
  const auto latencies = draw_latencies();
  const Cost loop = measure(latencies, [](size_t, int64_t ns) { asm volatile("" ::"r"(ns)); });
  LatencyCells& one = block.backends[0].latency[size_t(Operation::kGet)];
  const auto kind_of = [](size_t i) {
    return LatencyKind(i % 3 == 0   ? Operation::kSet
                       : i % 3 == 1 ? Operation::kGet
                                    : Operation::kGat);
  };
  bool ok =
      say_cost("latency_record",
               measure(latencies, [&](size_t, int64_t ns) { writer.record(one, ns); }), loop, 2);
  const Cost many = measure(latencies, [&](size_t i, int64_t ns) {
    writer.record(block.backends[i % kMaxBackends].latency[kind_of(i).index()], ns);
  });
  ok = say_cost("latency_record_192_histograms", many, loop, 10) && ok;
  const Cost reply = measure(latencies, [&](size_t i, int64_t ns) {
    record_latency(writer, block.backends[0], Operation::kGet, base::Duration(ns),
                   base::Instant{static_cast<int64_t>(i) * 1000});
  });
  return say_cost("latency_of_a_reply", reply, loop, 10) && ok;
}

bool measure_error() {
  double worst = 0;
  for (size_t bucket = 1; bucket + 1 < kHistogramBuckets; ++bucket) {
    for (const int64_t ns :
         {histogram_upper_bound_ns(bucket - 1), histogram_upper_bound_ns(bucket) - 1}) {
      Histogram histogram;
      histogram.record(base::Duration(ns));
      const auto found = static_cast<double>(histogram.quantile(0.5).count());
      worst = std::max(worst, std::abs(found / static_cast<double>(ns) - 1));
    }
  }
  return say("latency_error_percent", worst * 100, 1);
}

// What an agent does once a second: all that clients asked for, per backend.
bool measure_reading(const SegmentWriter& segment) {
  constexpr int kReadings = 500;
  uint64_t seen = 0;
  const base::Duration begun = ThreadTime::ran();
  for (int reading = 0; reading < kReadings; ++reading) {
    for (uint32_t b = 0; b < kMaxBackends; ++b) {
      Histogram sum;
      for (uint32_t worker = 0; worker < 2; ++worker) {
        for (size_t kind = 0; kind < kOperationCount; ++kind) {
          segment.add_latencies(worker, b, LatencyKind::nth(kind), sum);
        }
      }
      seen += sum.count();
    }
  }
  const double ms = base::to_seconds(ThreadTime::ran() - begun) * 1e3 / kReadings;
  CHECK(seen > 0);
  return say("latency_reading_64_backends_ms", ms, 2);
}

bool measure_pages(const test::TempDir& folder) {
  bool ok = true;
  const auto latencies = draw_latencies();
  for (const size_t backends : {0, 2, 8, 64}) {
    const auto segment = make_segment(folder);
    for (uint32_t worker = 0; worker < 2; ++worker) {
      for (size_t b = 0; b < backends; ++b) {
        auto& cells = segment->worker(worker).backends[b].latency;
        for (const LatencyKind kind : {LatencyKind(Operation::kGet), LatencyKind(Operation::kSet),
                                       LatencyKind(Operation::kDelete), LatencyKind::fence()}) {
          for (const int64_t ns : latencies)
            segment->latencies(worker).record(cells[kind.index()], ns);
        }
      }
    }
    struct stat info {};
    CHECK(::stat(folder.file("s.seg").c_str(), &info) == 0);
    std::printf("# %zu backends, 4 kinds, 2 workers: %.0f KiB, %zu groups\n", backends,
                static_cast<double>(info.st_blocks) / 2, segment->latencies(0).groups());
    if (backends == kMaxBackends) ok = measure_reading(*segment);
  }
  return ok;
}

}  // namespace

int main() {
  const test::TempDir folder;
  const bool records = measure_records(folder);
  const bool error = measure_error();
  const bool pages = measure_pages(folder);
  return records && error && pages ? 0 : 1;
}
