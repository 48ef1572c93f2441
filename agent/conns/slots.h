// Slots: the numbering of watched listeners that every source shares. Pure.
//
// Each (port, address) that is counted apart has a slot, and each port one for its other addresses.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "agent/conns/counts.h"
#include "base/core/result.h"

namespace agent::conns {

inline constexpr size_t kMaxSlots = 128;

// Thread: any, it never changes. Owner: a source.
class Slots {
 public:
  // kInvalid: more than kMaxSlots listeners, or port 0.
  static base::Result<Slots> create(const std::vector<WatchedPort>& ports);

  size_t size() const { return listeners_.size(); }
  // Empty counts, in order of slots.
  const std::vector<ListenerCounts>& listeners() const { return listeners_; }
  // -1: not watched.
  int find(uint16_t port, const Address& local) const;
  struct Port {
    uint16_t others = 0;  // the slot of the other addresses
    std::unordered_map<Address, uint16_t, AddressHash> by_address;
  };
  const std::map<uint16_t, Port>& ports() const { return ports_; }

 private:
  std::map<uint16_t, Port> ports_;
  std::vector<ListenerCounts> listeners_;
};

}  // namespace agent::conns
