// Slots and epochs: the table that makes every proxy of a cluster see the same cache.
//
// The hash space is 16,384 fixed slots. An EpochTable says for each slot which backend owns it and
// since which epoch; `since` becomes the new epoch whenever the owner changes, and never goes back.
// Because `since` is part of every stored key (proxy/route), whatever a backend held from an earlier
// ownership can never be read again, whoever leaves and returns.
//
// The controller computes tables (next_table, weighted rendezvous hashing: only the slots that must
// move do); proxies receive them as JSON (to_json/parse_table); the canary uses slot_of to find keys
// for every backend. What this leaves out: who may commit a table and when (agent/coord, proxy/ring).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

namespace base {

inline constexpr uint32_t kSlotCount = 16384;

// Strong names for numbers that cross borders; zero means "none".
using CacheId = uint32_t;
using Epoch = uint32_t;       // 1, 2, 3, … per cluster; never reused
using Generation = uint32_t;  // flush generation of a cache; 1 at creation
using Slot = uint16_t;

// The slot of a client's key. The cache takes part, so that a name that every customer uses
// ("config") does not load one backend.
Slot slot_of(CacheId cache, std::string_view client_key);

struct TableBackend {
  std::string id;       // "amber-backend-1"
  uint32_t weight = 1;  // 0: owns nothing (ejected), stays listed so that indexes are stable
};

// Invariant: owner.size() == since.size() == kSlotCount; owner[s] indexes backends or is kNoOwner;
// since[s] <= epoch.
struct EpochTable {
  static constexpr uint16_t kNoOwner = 0xffff;  // no backend has weight: every slot is a miss

  Epoch epoch = 0;
  std::vector<TableBackend> backends;
  std::vector<uint16_t> owner;
  std::vector<Epoch> since;
};

// The table for `epoch` that gives each slot to the backend of highest weighted rendezvous score
// among those with weight > 0. A slot whose owner stays keeps its `since`. `previous` may be empty
// (epoch 0). Precondition: epoch > previous.epoch.
EpochTable next_table(const EpochTable& previous, Epoch epoch, std::vector<TableBackend> backends);

// Whether a slot is served differently under the two tables: another owner, or another since.
bool slot_moves(const EpochTable& from, const EpochTable& to, Slot slot);

// {"epoch":3,"backends":[{"id":"…","weight":1}],"owner":"<base64 of u16 LE>","since":"<base64 of u32 LE>"}
std::string to_json(const EpochTable& table);
Result<EpochTable> parse_table(std::string_view json);

}  // namespace base
