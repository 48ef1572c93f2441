// Spread: whether a handful of clients hold most connections, or everybody holds some. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace agent::conns {

struct Spread {
  enum class Kind {
    kNobody,     // there are no connections
    kHandful,    // at most ten clients, and at most a quarter of them, hold at least 60 %
    kEverybody,  // no such few
  };
  Kind kind = Kind::kNobody;
  uint64_t connections = 0;
  uint64_t clients = 0;
  bool more_clients = false;  // `clients` is a lower bound: some have no count of their own
  uint64_t few = 0;           // kHandful: how many hold so much; else the largest ten, or all
  uint64_t held_by_few = 0;
};
const char* to_string(Spread::Kind kind);  // "nobody", "handful", "everybody"

// `clients`: connections of each, most first; `more_clients`: there are others that have fewer.
Spread spread_of(const std::vector<uint64_t>& clients, uint64_t connections, bool more_clients);

// One sentence with numbers: "a handful: 3 of 412 clients hold 82 % of 41000 connections; the others
// 18.1 each".
std::string describe(const Spread& spread);

}  // namespace agent::conns
