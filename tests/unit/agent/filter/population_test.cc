#include <gtest/gtest.h>

#include "tests/support/filter_population.h"

namespace test {
namespace {

// Ten worlds, 100,000 clients; among them NAT, shared addresses, addresses that change within an
// IPv6 /64, and attackers at the same ones.
TEST(Population, NoAuthenticatedClientIsBlockedWhoeverIsAccused) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    PopulationOptions options;
    options.seed = seed;
    const PopulationResult result = try_population(options);
    EXPECT_GT(result.clients, 7'000u);
    EXPECT_GT(result.attackers_among_clients, 20u);
    EXPECT_EQ(result.clients_blocked, 0u) << "seed " << seed;
    EXPECT_GE(result.attackers_blocked * 100, result.attackers * 95) << "seed " << seed;
  }
}

TEST(Population, NobodyIsBlockedWhileSomebodyMayHaveBeenMissed) {
  for (const auto trouble :
       {PopulationTrouble::kOverflow, PopulationTrouble::kClockJump, PopulationTrouble::kLongPause,
        PopulationTrouble::kYoung, PopulationTrouble::kMissingAgent}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      PopulationOptions options;
      options.seed = seed;
      options.clients = 3'000;
      options.trouble = trouble;
      const PopulationResult result = try_population(options);
      EXPECT_GT(result.clients, 2'000u);
      EXPECT_EQ(result.clients_blocked + result.attackers_blocked, 0u)
          << "seed " << seed << " trouble " << static_cast<int>(trouble);
    }
  }
}

}  // namespace
}  // namespace test
