// View: where every slot is served right now, compiled for the request path.
//
// Idea: workers do not look at epoch tables. The admin thread compiles the committed and the prepared
// table into one array of 16,384 entries that says, per slot: which backend (by its index in the
// telemetry segment, the same for the life of the process), since when, and whether the slot is
// moving, in which case nobody may serve it. The result is immutable and shared by all workers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/core/slots.h"

namespace proxy::ring {

inline constexpr uint16_t kNoBackend = 0xffff;

struct SlotEntry {
  base::Epoch since = 0;
  uint16_t backend = kNoBackend;  // kNoBackend: nobody owns it, or its owner's address is unknown
  bool moving = false;

  friend bool operator==(const SlotEntry&, const SlotEntry&) = default;
};

struct BackendRef {
  std::string id;
  std::string address;  // numeric
  uint16_t port = 0;
  uint16_t index = 0;  // stable: the same id has the same index for the life of the process
  uint64_t hash = 0;   // memcache::owner_hash(id)
};

// Thread: any; immutable once built.
struct View {
  base::Epoch committed = 0;
  base::Epoch prepared = 0;  // 0: none
  // The newest epoch the controller has told of, committed, prepared or aborted: a fence record up
  // to it is no news.
  base::Epoch known = 0;
  std::vector<BackendRef> backends;       // as configured
  std::array<uint64_t, 64> owner_hash{};  // by index
  std::array<SlotEntry, base::kSlotCount> slots{};
};

// Either table may be null. Slots that differ between the two are moving; without a committed table
// all are.
std::shared_ptr<const View> compile_view(const base::EpochTable* committed,
                                         const base::EpochTable* prepared, base::Epoch known,
                                         std::vector<BackendRef> backends);

}  // namespace proxy::ring
