// DiagSource: counts by socket diagnostics, in slices that a processor budget can afford.
//
// The walk over all sockets costs by their number, so it is done in kWindows slices by the client's
// port, one at a time: a slice pays for the sockets that it shows and little for the others. Few
// sockets are counted at once. The sum of the newest count of each slice is right when nothing changes,
// and otherwise as old as the oldest slice. pause() says how long to rest, so that all of it takes at
// most kBudget of a core, however many sockets there are.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "agent/conns/counts.h"
#include "agent/conns/dump.h"
#include "agent/conns/slots.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::conns {

inline constexpr size_t kWindows = 16;
inline constexpr double kBudget = 0.005;  // of a core
struct RemotePorts {
  uint16_t low = 0, high = 0;
};
// Together all ports; those that Linux clients use are divided evenly.
RemotePorts remote_ports(size_t window);
size_t window_of(uint16_t remote_port);

// Thread: step() one; the rest any. Owner: Watch or a tool.
class DiagSource {
 public:
  static base::Result<DiagSource> create(const std::vector<WatchedPort>& ports);

  // Counts all at once when that fits the budget of one second, else the next slice. The first
  // time it tries all. `now` of any clock.
  base::Result<> step(base::Instant now, bool ipv6);
  // Counts all, whatever it costs: for a person who asked.
  base::Result<> step_whole(base::Instant now, bool ipv6);
  // To wait after the last step.
  base::Duration pause() const;
  base::Duration last_cost() const { return cost_; }  // processor time

  void fill(Counts& counts, base::Instant now) const;
  std::vector<ClientCount> top_clients(size_t limit) const;

 private:
  struct Key {
    Address client{};
    uint16_t slot = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return AddressHash()(key.client) ^ key.slot; }
  };
  struct Window {
    std::optional<base::Instant> at;
    std::vector<std::array<uint32_t, kStates>> states;  // by slot
    std::unordered_map<Key, uint32_t, KeyHash> clients;
    uint32_t untracked = 0;
  };
  explicit DiagSource(Slots slots) : slots_(std::move(slots)) {}
  base::Result<> whole(base::Instant now, bool ipv6, base::Duration limit);
  base::Result<> slice(base::Instant now, bool ipv6);
  void count(Window& window, const SocketRow& row) const;
  Window empty(base::Instant now) const;
  std::unordered_map<Key, uint64_t, KeyHash> merged_clients() const;

  Slots slots_;
  // The stepping thread's.
  size_t next_ = 1;
  base::Duration cost_{0};
  base::Duration whole_cost_{0};  // 0: not known
  // Guarded by *mutex_, which is apart so that a source can be moved.
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::array<Window, kWindows> windows_;
};

}  // namespace agent::conns
