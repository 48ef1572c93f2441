// log_cost: what a call to the log costs that is not written, and what a storm of them costs a proxy.
//
// First the cost of one suppressed call in CPU time of its thread, less that of an empty loop, in one thread and in two at once
// (then that of the slower one): without a key, about one backend, about 64 and about 100,000 clients;
// beside it spdlog with its duplicate filter. Then a storm: two threads that do what a worker does for a
// request (parse a line, receive, send) while ten million errors a second are offered, to a full
// disk and to a stderr that nobody reads. Goodput is compared with that of the same threads without
// errors; every error must be counted, and the budget of lines kept.
//
// Prints one line per figure, `name ours peer ratio bound ok|short`, the best of some rounds, and exits
// 1 when one is short.
#include <fcntl.h>
#include <spdlog/sinks/dup_filter_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/core/check.h"
#include "base/memcache/ascii_line.h"
#include "base/telemetry/log.h"
#include "base/time/thread_time.h"

namespace {

using base::ThreadTime;
namespace log = base::log;

constexpr int kCalls = 20'000'000;
constexpr int kPeerCalls = 300'000;
constexpr int kRounds = 5;
constexpr double kStormErrorsPerSecond = 10e6;
constexpr int kStormThreads = 2;

// Keeps the compiler from taking two rounds of a loop for one.
void forget_memory() {
  asm volatile("" ::: "memory");
}

// One round of it; returns nanoseconds a call.
using Flood = std::function<double()>;

template <class Call>
Flood flood_of(Call call, int calls = kCalls) {
  return [call, calls] {
    Call mine = call;  // its state is its thread's
    const base::Duration begun = ThreadTime::ran();
    for (int i = 0; i < calls; ++i) {
      mine(i);
      forget_memory();
    }
    return base::to_seconds(ThreadTime::ran() - begun) * 1e9 / calls;
  };
}

// In so many threads at once: the best round of the slowest.
double measure(const Flood& flood, int threads) {
  std::vector<double> best(static_cast<size_t>(threads), std::numeric_limits<double>::max());
  std::barrier together(threads);
  std::vector<std::thread> running;
  for (double& mine : best) {
    running.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        together.arrive_and_wait();
        mine = std::min(mine, flood());
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  return *std::max_element(best.begin(), best.end());
}

// The loop around the calls, and the turn of the machine it gets.
double loop_ns() {
  static const double kLoop = measure(flood_of([](int) {}), 1);
  return kLoop;
}

bool say(const std::string& name, double ours, double peer, double bound, bool at_most) {
  const bool ok = at_most ? ours <= bound : ours >= bound;
  std::printf("%s %.2f ", name.c_str(), ours);
  if (peer > 0) {
    std::printf("%.2f %.4f ", peer, ours / peer);
  } else {
    std::printf("- - ");
  }
  std::printf("%.2f %s\n", bound, ok ? "ok" : "short");
  return ok;
}

bool suppressed_calls() {
  std::vector<std::string> few, many;
  for (int i = 0; i < 64; ++i) few.push_back("10.1.2." + std::to_string(i));
  for (int i = 0; i < 100'000; ++i) {
    many.push_back("10.1." + std::to_string(i / 300) + "." + std::to_string(i % 300));
  }
  const std::string reason = "it closed the connection", backend = "amber-backend-1";
  const auto filter =
      std::make_shared<spdlog::sinks::dup_filter_sink_mt>(std::chrono::seconds(3600));
  filter->add_sink(std::make_shared<spdlog::sinks::null_sink_mt>());
  spdlog::logger peer("peer", filter);

  const auto next = [](const std::vector<std::string>& keys, size_t& at) -> const std::string& {
    at = at + 1 == keys.size() ? 0 : at + 1;
    return keys[at];
  };
  const struct {
    const char* name;
    double bound;
    Flood ours, peer;
  } kCases[] = {
      {"log_suppressed_ns", 1.0, flood_of([](int) { log::error("flood_plain"); }),
       flood_of([&](int) { peer.error("flood_plain"); }, kPeerCalls)},
      {"log_suppressed_fields_ns", 1.0, flood_of([&](int i) {
         log::error("flood_fields", {{"reason", reason}, {"n", i}});
       }),
       flood_of([&](int) { peer.error("flood_fields reason={} n={}", reason, 1); }, kPeerCalls)},
      {"log_suppressed_backend_ns", 5.0, flood_of([&](int i) {
         log::error("flood_backend", {{"backend", backend}, {"reason", reason}, {"n", i}});
       }),
       flood_of(
           [&](int) { peer.error("flood_backend backend={} reason={} n={}", backend, reason, 1); },
           kPeerCalls)},
      {"log_suppressed_64_clients_ns", 5.0, flood_of([&, at = size_t{0}](int) mutable {
         log::error("flood_few", {{"client", next(few, at)}, {"reason", reason}});
       }),
       flood_of(
           [&, at = size_t{0}](int) mutable {
             peer.error("flood_few client={} reason={}", next(few, at), reason);
           },
           kPeerCalls)},
      {"log_suppressed_100000_clients_ns", 15.0, flood_of([&, at = size_t{0}](int) mutable {
         log::error("flood_many", {{"client", next(many, at)}, {"reason", reason}});
       }),
       flood_of(
           [&, at = size_t{0}](int) mutable {
             peer.error("flood_many client={} reason={}", next(many, at), reason);
           },
           kPeerCalls)},
  };
  bool ok = true;
  for (const auto& each : kCases) {
    for (const int threads : {1, 2}) {
      const std::string name = each.name + std::string(threads == 1 ? "" : "_2_threads");
      ok &= say(name, measure(each.ours, threads) - loop_ns(), measure(each.peer, threads),
                each.bound, true);
    }
  }
  return ok;
}

// What a worker does for a request, about.
class Requests {
 public:
  Requests() { CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_) == 0); }
  ~Requests() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void one() {
    constexpr std::string_view kLine = "get a_key_of_some_length_0123456789\r\n";
    char buffer[256];
    CHECK(::send(ends_[0], kLine.data(), kLine.size(), 0) > 0);
    const ssize_t size = ::recv(ends_[1], buffer, sizeof buffer, 0);
    base::memcache::Request request;
    const std::string_view line(buffer, static_cast<size_t>(size) - 2);
    CHECK(base::memcache::parse_line(line, request).kind == base::memcache::Line::Kind::kDone);
  }

 private:
  int ends_[2] = {-1, -1};
};

// Goodput of one thread with errors, as a share of that without; counts the errors.
double storm(uint64_t& errors) {
  constexpr int kPairs = 15, kRequests = 10'000;
  constexpr size_t kBackends = 16;
  Requests requests;
  std::vector<std::string> backends;
  for (size_t i = 0; i < kBackends; ++i) backends.push_back("amber-backend-" + std::to_string(i));
  // Pairs of errors that are due, in 1/1024: so that as many are offered as shall be, on average.
  const auto seconds = [&](size_t pairs_each) {
    size_t pairs = 0, due = 0;
    const base::Duration begun = ThreadTime::ran();
    for (int i = 0; i < kRequests; ++i) {
      requests.one();
      for (due += pairs_each; due >= 1024; due -= 1024) {
        const std::string& backend = backends[++pairs % kBackends];
        log::error("storm_backend", {{"backend", backend}, {"reason", "reset"}, {"n", i}});
        log::error("storm_client", {{"reason", "too many connections"}, {"n", i}});
      }
    }
    errors += 2 * pairs;
    return base::to_seconds(ThreadTime::ran() - begun);
  };
  seconds(0);  // warms up
  const double alone = seconds(0) / kRequests;
  const double pairs_each = kStormErrorsPerSecond / 2 / kStormThreads * alone;
  const auto each = static_cast<size_t>(std::ceil(1024 * pairs_each));
  // In turns, so that what else the machine does falls on both; medians.
  std::vector<double> without, with;
  for (int pair = 0; pair < kPairs; ++pair) {
    without.push_back(seconds(0));
    with.push_back(seconds(each));
  }
  const auto median = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + kPairs / 2, values.end());
    return values[kPairs / 2];
  };
  return median(without) / median(with);
}

// Between start() and stop() of the log as `options` say.
bool storm_into(const char* where, const log::Options& options) {
  CHECK(log::start(options).ok());
  const log::Totals before = log::totals();
  const base::SystemClock clock;
  const base::Instant begun = clock.now();
  std::vector<uint64_t> errors(kStormThreads, 0);
  std::vector<double> goodput(kStormThreads, 0);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kStormThreads; ++i) {
    threads.emplace_back([&, i] { goodput[i] = storm(errors[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = base::to_seconds(clock.now() - begun);
  log::stop();
  const log::Totals after = log::totals();
  uint64_t offered = 0;
  for (const uint64_t each : errors) offered += each;
  const uint64_t lines = after.written + after.dropped - before.written - before.dropped;
  const uint64_t counted = lines + after.suppressed - before.suppressed;
  const std::string name = std::string("log_storm_") + where;
  bool ok = say(name + "_goodput", std::min(goodput[0], goodput[1]), 0, 0.95, false);
  ok &= say(name + "_lines_a_second", static_cast<double>(lines) / (seconds + 1), 0, 100, true);
  const auto lost = std::abs(static_cast<double>(offered) - static_cast<double>(counted));
  ok &= say(name + "_errors_not_counted", lost, 0, 0, true);
  return ok;
}

bool storms() {
  log::Options full_disk;
  full_disk.file = "/dev/full";
  bool ok = storm_into("disk_full", full_disk);

  int pipe[2];
  CHECK(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) == 0);
  const std::string page(4096, 'x');
  while (::write(pipe[1], page.data(), page.size()) > 0) {
  }
  CHECK(::fcntl(pipe[1], F_SETFL, 0) == 0);
  const int stderr_before = ::dup(STDERR_FILENO);
  CHECK(::dup2(pipe[1], STDERR_FILENO) >= 0);
  log::Options blocked;
  blocked.to = log::Target::kStderr;
  ok &= storm_into("stderr_blocked", blocked);
  CHECK(::dup2(stderr_before, STDERR_FILENO) >= 0);
  return ok;
}

}  // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  log::Options options;
  options.file = "/dev/null";
  CHECK(log::start(options).ok());
  bool ok = suppressed_calls();
  log::stop();
  ok &= storms();
  return ok ? 0 : 1;
}
