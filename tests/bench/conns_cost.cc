// What it costs the agent to see TCP connections, and how right it sees them.
//
//   conns_cost [CONNECTIONS]     default 100000; the slowest peer grows with it
//
// Prints one line per figure, `name ours peer ratio bound ok|short`, and exits 1 when one is short. Works in
// a network namespace of its own; both ends of every connection are in it, so tables hold twice
// CONNECTIONS sockets. Costs are processor time, user and system. Without the rights for programs in
// the kernel the figures that need them are left out, and it says so.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/conns/bpf_source.h"
#include "agent/conns/diag_source.h"
#include "agent/conns/watch.h"
#include "base/core/check.h"
#include "base/net/fd.h"
#include "base/time/thread_time.h"

namespace {

using agent::conns::BpfSource;
using agent::conns::Counts;
using agent::conns::DiagSource;
using base::net::UniqueFd;

constexpr uint16_t kPort = 11211;
constexpr size_t kPerAddress = 20'000;  // connections to one server address
bool any_short = false;

void row(const std::string& name, double ours, double peer, double bound, bool at_most_ours) {
  const double ratio = ours > 0 ? peer / ours : INFINITY;
  const bool ok = at_most_ours ? ours <= bound : ratio >= bound;
  any_short = any_short || !ok;
  if (peer > 0) {
    std::printf("%s %.6g %.6g %.4g %g %s\n", name.c_str(), ours, peer, ratio, bound,
                ok ? "ok" : "short");
  } else {
    std::printf("%s %.6g - - %g %s\n", name.c_str(), ours, bound, ok ? "ok" : "short");
  }
  std::fflush(stdout);
}

sockaddr_in address_of(uint32_t host, uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(host);
  at.sin_port = htons(port);
  return at;
}

// A listener on every address, and connections from 500 clients to it.
class Server {
 public:
  Server() {
    listening_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const sockaddr_in at = address_of(INADDR_ANY, kPort);
    CHECK(::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    CHECK(::listen(listening_.get(), 1024) == 0);
  }
  // Holds one more.
  void hold(size_t number) {
    auto [client, server] = open(number);
    held_.push_back(std::move(client));
    held_.push_back(std::move(server));
  }
  size_t held() const { return held_.size() / 2; }
  void release() { held_.clear(); }
  // One that comes and goes, its client ending it first.
  void cycle(size_t number) {
    auto [client, server] = open(number);
    const linger abort{1, 0};
    // A reset leaves no TIME_WAIT behind, so a million fit in the ports there are.
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    client.reset();
  }

 private:
  std::pair<UniqueFd, UniqueFd> open(size_t number) {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(client.valid());
    const int late = 1;
    ::setsockopt(client.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    const sockaddr_in from = address_of(0x7f020001u + static_cast<uint32_t>(number % 500), 0);
    CHECK(::bind(client.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0);
    const sockaddr_in to =
        address_of(0x7f010001u + static_cast<uint32_t>(number / kPerAddress), kPort);
    CHECK(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    UniqueFd server(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(server.valid());
    return {std::move(client), std::move(server)};
  }

  UniqueFd listening_;
  std::vector<UniqueFd> held_;
};

bool enter_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &loopback) == 0;
}

// What one process may open, raised to the limit that is set for it.
size_t descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

// Processes that hold connections, as many as the limit of descriptors asks for.
class Holders {
 public:
  explicit Holders(Server& server) : server_(server) {}
  ~Holders() {
    for (Holder& holder : holders_) holder.lifeline.reset();
    for (const Holder& holder : holders_) ::waitpid(holder.process, nullptr, 0);
  }
  void hold_until(size_t count) {
    const size_t each = std::min<size_t>((descriptors() - 100) / 2, 50'000);
    while (held_ < count) add(std::min(each, count - held_));
  }
  size_t held() const { return held_; }

 private:
  struct Holder {
    pid_t process = 0;
    UniqueFd lifeline;  // the process ends when this is closed
  };
  void add(size_t count) {
    int life[2], ready[2];
    CHECK(::pipe2(life, O_CLOEXEC) == 0 && ::pipe2(ready, O_CLOEXEC) == 0);
    const pid_t process = ::fork();
    CHECK(process >= 0);
    if (process == 0) {
      ::close(life[1]);
      for (Holder& holder : holders_) holder.lifeline.reset();
      server_.release();  // this process's copies of the descriptors
      for (size_t i = 0; i < count; ++i) server_.hold(held_ + i);
      char byte = 1;
      CHECK(::write(ready[1], &byte, 1) == 1);
      // Returns when the other end is gone.
      (void)!::read(life[0], &byte, 1);
      ::_exit(0);
    }
    ::close(life[0]);
    ::close(ready[1]);
    holders_.push_back({process, UniqueFd(life[1])});
    const UniqueFd answer(ready[0]);
    char byte = 0;
    CHECK(::read(answer.get(), &byte, 1) == 1);
    held_ += count;
  }

  Server& server_;
  std::vector<Holder> holders_;
  size_t held_ = 0;
};

double process_seconds(int who) {
  rusage used{};
  ::getrusage(who, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// Processor time of one run of lsof on the port; 0: there is no lsof.
double lsof_seconds() {
  const double before = process_seconds(RUSAGE_CHILDREN);
  const pid_t child = ::fork();
  if (child == 0) {
    const int nothing = ::open("/dev/null", O_WRONLY);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(nothing, STDERR_FILENO);
    ::execlp("lsof", "lsof", "-nP", "-iTCP:11211", "-sTCP:ESTABLISHED", nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return 0;
  return process_seconds(RUSAGE_CHILDREN) - before;
}

uint64_t established(const Counts& counts) {
  return counts.listeners.at(0).states[agent::conns::kEstablished];
}

std::unique_ptr<BpfSource> attach() {
  auto source = BpfSource::attach({{kPort, {}}});
  CHECK(source.ok());
  return std::move(*source);
}

double sample_ms(const BpfSource& source) {
  constexpr int kSamples = 2000;
  Counts counts;
  const base::Duration began = base::ThreadTime::ran();
  for (int i = 0; i < kSamples; ++i) source.fill(counts);
  return base::to_seconds(base::ThreadTime::ran() - began) * 1e3 / kSamples;
}

// Opens and closes about `per_second` a second, from a thread of its own, for whole seconds.
class Churn {
 public:
  Churn(Server& server, size_t per_second)
      : thread_([this, &server, per_second] {
          const base::SystemClock clock;
          base::Instant next = clock.now();
          for (size_t i = 0; !stop_; ++i) {
            server.cycle(i);
            if (i % 100 != 99) continue;
            next =
                next + base::Duration(int64_t{100'000'000'000} / static_cast<int64_t>(per_second));
            const base::Duration left = next - clock.now();
            if (left.count() > 0) ::poll(nullptr, 0, static_cast<int>(left.count() / 1'000'000));
            cycles_ = i + 1;
          }
        }) {}
  ~Churn() { finish(); }
  void finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  size_t cycles() const { return cycles_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<size_t> cycles_{0};
  std::thread thread_;
};

// The kernel finishes what was closed last within a tick.
void settle() {
  ::poll(nullptr, 0, 200);
}

double error_now(BpfSource& source, size_t held) {
  settle();
  if (source.is_doubtful()) CHECK(source.seed().ok());
  Counts counts;
  source.fill(counts);
  return std::abs(static_cast<double>(established(counts)) - static_cast<double>(held));
}

void measure_churn(Server& server) {
  double worst = 0;
  double missed = 0;
  auto source = attach();
  CHECK(source->seed().ok());
  for (int round = 0; round < 4; ++round) {
    {
      Churn churn(server, 4000);
      ::poll(nullptr, 0, 1000);
      if (round % 2 == 1) {
        source = attach();  // as after a restart of the agent
        CHECK(source->seed().ok());
      }
      ::poll(nullptr, 0, 500);
    }
    Counts counts;
    source->fill(counts);
    missed += static_cast<double>(counts.missed_events);
    worst = std::max(worst, error_now(*source, server.held()));
  }
  row("conns_error_under_4000_changes_a_second", worst, 0, 0, true);
  std::printf("# events missed, each leading to a new count: %g\n", missed);
}

void measure_million(Server& server) {
  auto source = attach();
  CHECK(source->seed().ok());
  constexpr size_t kCycles = 1'000'000;
  uint64_t missed = 0;
  Counts counts;
  for (size_t i = 0; i < kCycles; ++i) {
    server.cycle(i);
    if (i != kCycles / 2) continue;
    source->fill(counts);
    missed += counts.missed_events;
    source = attach();
    CHECK(source->seed().ok());
  }
  settle();
  source->fill(counts);
  missed += counts.missed_events;
  const double drift =
      std::abs(static_cast<double>(established(counts)) - static_cast<double>(server.held()));
  row("conns_drift_after_a_million", drift, 0, 0, true);
  std::printf("# events missed in that million: %llu\n", static_cast<unsigned long long>(missed));
}

// A program that does nothing at each change of a socket's state: what any program costs there.
class EmptyProgram {
 public:
  EmptyProgram() {
    const bpf_insn nothing[] = {
        {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = BPF_TRACE_RAW_TP;
    const int at = libbpf_find_vmlinux_btf_id("inet_sock_set_state", BPF_TRACE_RAW_TP);
    CHECK(at > 0);
    options.attach_btf_id = static_cast<uint32_t>(at);
    program_ = UniqueFd(::bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "Dual BSD/GPL", nothing,
                                        std::size(nothing), &options));
    CHECK(program_.valid());
    attached_ = UniqueFd(::bpf_raw_tracepoint_open(nullptr, program_.get()));
    CHECK(attached_.valid());
  }

 private:
  UniqueFd program_, attached_;
};

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The same cycles with and without the programs, in turns; the median of the differences.
void measure_cycle(Server& server) {
  constexpr int kRounds = 60;
  constexpr int kCycles = 1000;
  const auto run = [&server] {
    const base::Duration began = base::ThreadTime::ran();
    for (int i = 0; i < kCycles; ++i) server.cycle(static_cast<size_t>(i));
    return base::to_seconds(base::ThreadTime::ran() - began) * 1e6 / kCycles;
  };
  // The first ones find cold caches.
  const auto warm_run = [&run] {
    run();
    return run();
  };
  std::vector<double> without, added, empty;
  for (int i = 0; i < kRounds; ++i) {
    double with = 0, with_empty = 0;
    {
      const auto source = attach();
      with = warm_run();
    }
    {
      const EmptyProgram program;
      with_empty = warm_run();
    }
    without.push_back(warm_run());
    added.push_back(with - without.back());
    empty.push_back(with_empty - without.back());
  }
  const double cycle = median(without), ours = median(added), least = median(empty);
  row("conns_us_per_open_and_close", ours, 0, 0.8, true);
  row("conns_percent_of_open_and_close", 100 * ours / cycle, 0, 2, true);
  std::printf(
      "# opening and closing takes %.1f us; a program that does nothing adds %.2f us, %.1f %%\n",
      cycle, least, 100 * least / cycle);
}

void measure_watching() {
  const base::SystemClock clock;
  for (const int per_second : {1, 10}) {
    auto watch = agent::conns::Watch::start({{kPort, {}}}, clock);
    CHECK(watch.ok());
    while (!(*watch)->counts().known) ::poll(nullptr, 0, 20);
    ::poll(nullptr, 0, 1500);
    const double before = process_seconds(RUSAGE_SELF);
    constexpr int kSeconds = 5;
    for (int i = 0; i < kSeconds * per_second; ++i) {
      (*watch)->counts();
      if (i % per_second == 0) (*watch)->top_clients(10);
      ::poll(nullptr, 0, 1000 / per_second);
    }
    const double share = (process_seconds(RUSAGE_SELF) - before) / kSeconds;
    row("conns_watching_" + std::to_string(per_second) + "_hz_percent_of_core", 100 * share, 0,
        per_second == 1 ? 0.2 : 0.5, true);
  }
}

void measure_diagnostics(double lsof) {
  auto source = DiagSource::create({{kPort, {}}});
  CHECK(source.ok());
  const base::SystemClock clock;
  std::vector<double> costs;
  double share = 0;
  for (int i = 0; i < 17; ++i) {
    CHECK(source->step(clock.now(), false).ok());
    const double cost = base::to_seconds(source->last_cost());
    share = std::max(share, cost / base::to_seconds(source->pause()));
    if (i > 0) costs.push_back(cost);
  }
  std::nth_element(costs.begin(), costs.begin() + 8, costs.end());
  row("conns_diagnostics_window_ms", costs[8] * 1e3, lsof * 1e3, 30, false);
  row("conns_diagnostics_percent_of_core", 100 * share, 0, 0.5001, true);
}

}  // namespace

int main(int argc, char** argv) {
  const size_t connections = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
  if (!enter_namespace()) {
    std::printf("# conns_cost: skipped, this needs the right to make a network namespace\n");
    return 0;
  }
  descriptors();
  Server server;
  for (size_t i = 0; i < 1000; ++i) server.hold(i);
  const agent::conns::Choice choice = agent::conns::choose(agent::conns::own_rights());
  const bool events =
      choice.source == agent::conns::SourceKind::kBpf && BpfSource::attach({{kPort, {}}}).ok();
  if (!events) std::printf("# without the kernel's events: %s\n", choice.why.c_str());
  if (events) {
    measure_cycle(server);
    measure_churn(server);
    measure_million(server);
  }
  server.release();
  Holders holders(server);
  holders.hold_until(connections);
  std::printf("# %zu connections held\n", holders.held());
  const double lsof = lsof_seconds();
  if (lsof > 0) measure_diagnostics(lsof);
  if (!events) return any_short ? 1 : 0;
  auto source = attach();
  CHECK(source->seed().ok());
  row("conns_error_at_rest", error_now(*source, holders.held()), 0, 0, true);
  const double sample = sample_ms(*source);
  row("conns_sample_ms", sample, 0, 0.005, true);
  if (lsof > 0) row("conns_sample_ms_against_lsof", sample, lsof * 1e3, 500'000, false);
  measure_watching();
  holders.hold_until(5 * connections);
  row("conns_error_at_rest_times_5", error_now(*source, holders.held()), 0, 0, true);
  row("conns_sample_growth_times_5", sample_ms(*source) / sample, 0, 1.3, true);
  return any_short ? 1 : 0;
}
