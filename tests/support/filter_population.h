// A made-up world of clients and attackers, for what address filters must never do.
//
// Clients authenticate on some of eight days from addresses of their own, from behind shared ones
// (offices, providers' NAT), from a new IPv6 address of their /64 each time, or on the move.
// Attackers sit at addresses of their own and behind the same NAT and in the same /64 as clients.
// Two agents keep histories of what their proxies told; then everybody is accused, clients too. One
// seed makes one world.
#pragma once

#include <cstdint>

namespace test {

// What goes wrong with the history. What is told while it does is lost.
enum class PopulationTrouble { kNone, kOverflow, kClockJump, kLongPause, kYoung, kMissingAgent };

struct PopulationOptions {
  uint64_t seed = 1;
  uint64_t clients = 10'000;
  PopulationTrouble trouble = PopulationTrouble::kNone;
};

struct PopulationResult {
  uint64_t clients = 0;            // that authenticated in the last seven days
  uint64_t clients_blocked = 0;    // of them
  uint64_t attackers = 0;          // at addresses from which nobody authenticated
  uint64_t attackers_blocked = 0;  // of them
  uint64_t attackers_among_clients = 0;
  double false_positive_rate = 0;
  uint64_t history_bytes = 0;
};

PopulationResult try_population(const PopulationOptions& options);

}  // namespace test
