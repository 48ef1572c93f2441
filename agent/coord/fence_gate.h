// FenceGate: the highest fencing token seen per lock, durable, for what cannot compare fences
// itself.
//
// memcached and the operating system take orders from anybody, so the agent is the gate in front of
// them: an act whose fence is lower than one already seen comes from a run that has lost its lock,
// and is refused. What the coordinator does on its own account (reconciling) carries the highest
// fence seen.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "agent/coord/turn.h"
#include "agent/store/store.h"
#include "base/core/result.h"

namespace agent::coord {

// Thread: the control thread's. Owner: app. Invariant: what admit() accepted is in the store.
class FenceGate {
 public:
  FenceGate(boost::asio::any_io_executor executor, store::Store& store);
  boost::asio::awaitable<base::Result<>> load();
  // kRefused when `fence` is lower than one admitted before. 0 (a person's or the agent's own act
  // under no lock) passes without leaving a trace.
  boost::asio::awaitable<base::Result<>> admit(std::string lock, uint64_t fence);
  uint64_t highest(std::string_view lock) const;
  // A proxy has seen this one: the store must be an older copy. Kept in memory.
  void raise_floor(std::string_view lock, uint64_t fence);

 private:
  store::Store& store_;
  Turn turn_;
  std::map<std::string, uint64_t, std::less<>> highest_;
};

std::string cluster_lock(std::string_view cluster);  // "cluster/amber"

}  // namespace agent::coord
