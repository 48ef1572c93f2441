// How long it takes from the decision to block an address until its next connection is refused, and
// from its time's end until it is let in again with nobody left to act; in a network namespace of
// its own.
//
// The peer starts nft anew for each filter, as scripts do. Prints one line per figure, `name ours
// peer ratio bound ok|short`, and exits 1 when one is short. Without the rights or without nft it
// says so and measures nothing.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "agent/filter/decision.h"
#include "agent/filter/nftables.h"
#include "base/core/check.h"
#include "tests/support/new_connections.h"
#include "tests/support/own_network.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace std::chrono_literals;
using namespace agent::filter;

constexpr uint16_t kPort = 11211;
constexpr int kSamples = 300;
bool any_short = false;

void row(const std::string& name, double ours, double peer, double bound) {
  const bool is_ok = ours <= bound;
  any_short = any_short || !is_ok;
  if (peer > 0) {
    std::printf("%s %.4g %.4g %.4g %g %s\n", name.c_str(), ours, peer, peer / ours, bound,
                is_ok ? "ok" : "short");
  } else {
    std::printf("%s %.4g - - %g %s\n", name.c_str(), ours, bound, is_ok ? "ok" : "short");
  }
  std::fflush(stdout);
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

std::string attacker(int number) {
  return "127.9." + std::to_string(number / 250) + "." + std::to_string(1 + number % 250);
}

// A history of eight whole days that knows nobody.
constexpr base::Duration kEightDays = 8 * base::Duration(24h);
base::Instant end_of_history(base::Duration since) {
  return base::Instant{1} + kEightDays + since;
}
AuthenticatedHistory whole_history(base::WallTime now) {
  AuthenticatedHistory history;
  history.begin_round({}, 1);
  for (base::Duration left = kEightDays; left >= 0h; left -= 12h) {
    history.end_round(now + -left, end_of_history(-left), true);
  }
  return history;
}

class Bench {
 public:
  Bench() : history_(whole_history(began_)), listener_(kPort) {
    NftablesOptions options;
    options.ports = {kPort};
    options.fence_file = dir_.file("fences");
    auto opened = NftablesTable::open(io_.get_executor(), disk_.get_executor(), timers_, options);
    CHECK(opened.ok());
    table_ = std::move(*opened);
  }
  ~Bench() { disk_.join(); }

  // Decides about the attacker as after it was counted, and makes it so.
  void block(const std::string& address, base::Duration ttl, uint64_t fence) {
    // Nobody has authenticated since the last round either.
    history_.end_round(clock_.wall(), end_of_history(clock_.wall() - began_), true);
    Knowledge knowledge{history_, clock_.wall(), {}, {}, {}, {}, 0, {}};
    knowledge.flows.is_known = true;
    Filter canary;
    canary.subject = *Subject::parse("203.0.113.1");
    canary.run = "run-1";
    canary.ttl = 60s;
    canary.left = 40s;
    canary.packets = 9;
    knowledge.standing.push_back(canary);
    Wanted wanted;
    // Loopback itself is never filtered: the decision is about another address.
    wanted.address = "203.0.113.1";
    wanted.run = "run-1";
    wanted.ttl = ttl;
    const Verdict verdict = decide(wanted, knowledge);
    CHECK(verdict.outcome == Outcome::kBlock);
    FilterChange change;
    change.lock = "cluster/amber";
    change.fence = fence;
    change.deadline = clock_.now() + 10s;
    change.additions.push_back({*Subject::parse(address), Mode::kBlock, wanted.run, verdict.ttl});
    CHECK(run(table_->apply(std::move(change))).ok());
  }
  // Milliseconds until the attacker's next connection is refused.
  double sample(const std::string& address, uint64_t fence) {
    CHECK(arrive(address) == test::Arrival::kConnected);
    const base::Instant began = clock_.now();
    block(address, 60s, fence);
    CHECK(arrive(address) == test::Arrival::kRefused);
    return base::to_seconds(clock_.now() - began) * 1e3;
  }
  double sample_of_script(const std::string& address) {
    const base::Instant began = clock_.now();
    const std::string command = "exec " + *find_nft() + " add element inet mcguard block4 '{ " +
                                address + " timeout 60s }'";
    CHECK(std::system(command.c_str()) == 0);
    CHECK(arrive(address) == test::Arrival::kRefused);
    return base::to_seconds(clock_.now() - began) * 1e3;
  }
  // Milliseconds by which a filter of a second outlives it.
  double sample_of_end(const std::string& address) {
    block(address, 1s, 0);
    const base::Instant began = clock_.now();
    while (arrive(address, 2ms) != test::Arrival::kConnected) CHECK(clock_.now() - began < 10s);
    return (base::to_seconds(clock_.now() - began) - 1) * 1e3;
  }

 private:
  test::Arrival arrive(const std::string& address, base::Duration patience = 500ms) {
    const test::Connection made = test::connect_from(address, "127.0.0.1", kPort, patience);
    if (made.arrival == test::Arrival::kConnected) listener_.accept();
    return made.arrival;
  }
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io_, std::move(work), [&](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result = std::move(value);
    });
    io_.restart();
    while (!result) io_.run_one_for(30s);
    return std::move(*result);
  }

  base::SystemClock clock_;
  const base::WallTime began_ = clock_.wall();
  test::TempDir dir_;
  AuthenticatedHistory history_;
  test::Listener listener_;
  boost::asio::io_context io_;
  boost::asio::thread_pool disk_{1};
  base::AsioTimers timers_{io_.get_executor(), clock_};
  std::unique_ptr<NftablesTable> table_;
};

}  // namespace

int main() {
  const std::string why_not = test::enter_own_network();
  if (!why_not.empty() || !find_nft().ok()) {
    std::printf("# nothing measured: %s\n",
                why_not.empty() ? find_nft().error().context.c_str() : why_not.c_str());
    return 0;
  }
  Bench bench;
  bench.block(attacker(0), 60s, 1);  // the counting before it: the table is made, the fence kept
  std::vector<double> ours, first, script, late;
  for (int i = 1; i <= kSamples; ++i) ours.push_back(bench.sample(attacker(i), 1));
  for (int i = 1; i <= 100; ++i) {
    const auto fence = static_cast<uint64_t>(i) + 1;
    first.push_back(bench.sample(attacker(kSamples + i), fence));
  }
  for (int i = 1; i <= 100; ++i)
    script.push_back(bench.sample_of_script(attacker(kSamples + 100 + i)));
  for (int i = 1; i <= 3; ++i) late.push_back(bench.sample_of_end(attacker(kSamples + 200 + i)));
  row("filter_delay_p50_ms", quantile(ours, 0.5), quantile(script, 0.5), 5);
  row("filter_delay_p99_ms", quantile(ours, 0.99), quantile(script, 0.99), 10);
  row("filter_delay_first_of_a_run_p50_ms", quantile(first, 0.5), quantile(script, 0.5), 25);
  row("filter_delay_first_of_a_run_p99_ms", quantile(first, 0.99), quantile(script, 0.99), 50);
  row("filter_end_late_ms", quantile(late, 1), 0, 100);
  return any_short ? 1 : 0;
}
