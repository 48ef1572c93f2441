// Who is blocked when everybody is accused: a million clients that authenticated in the last seven
// days, with NAT, shared addresses and IPv6 privacy addresses, and attackers at the same ones.
//
//   filter_population [CLIENTS]     default 1200000, of which a million come within seven days
//
// Prints one line per figure, `name ours peer ratio bound ok|short`, and exits 1 when one is short.
#include <cstdio>
#include <cstdlib>

#include "tests/support/filter_population.h"

namespace {

bool any_short = false;

void row(const char* name, double ours, double bound, bool is_ok) {
  any_short = any_short || !is_ok;
  std::printf("%s %.6g - - %g %s\n", name, ours, bound, is_ok ? "ok" : "short");
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  constexpr uint64_t kClients = 1'200'000;
  constexpr double kLeastClients = 1'000'000;
  constexpr double kLeastBlocked = 0.98;
  constexpr double kMostMegabytes = 20;
  test::PopulationOptions options;
  options.clients = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : kClients;
  const test::PopulationResult result = test::try_population(options);
  const auto clients = static_cast<double>(result.clients);
  row("filter_population_authenticated_clients", clients, kLeastClients,
      count > 1 || clients >= kLeastClients);
  row("filter_population_clients_blocked", static_cast<double>(result.clients_blocked), 0,
      result.clients_blocked == 0);
  const double blocked =
      static_cast<double>(result.attackers_blocked) / static_cast<double>(result.attackers);
  row("filter_population_attackers_blocked_share", blocked, kLeastBlocked,
      blocked >= kLeastBlocked);
  row("filter_population_attackers_at_clients_addresses_spared",
      static_cast<double>(result.attackers_among_clients), 1, result.attackers_among_clients >= 1);
  const double megabytes = static_cast<double>(result.history_bytes) / 1e6;
  row("filter_population_history_megabytes", megabytes, kMostMegabytes,
      megabytes <= kMostMegabytes);
  return any_short ? 1 : 0;
}
