// FenceGate: the highest fencing token seen per lock, durable, for what cannot compare fences
// itself.
//
// memcached and the operating system take orders from anybody, so the agent is the gate in front of
// them: an act whose fence is lower than one already seen comes from a run that has lost its lock,
// and is refused. What the coordinator does on its own account (reconciling) carries the highest
// fence seen.
//
// Runs' fences are revisions of the store. When the store was lost or is an older copy, proxies
// have seen fences that its revisions reach only much later, if ever; so an offset per lock lifts
// the runs' fences above them. What is compared, stored and sent is the effective fence: the run's
// and the offset. The offset only grows, and lifts what was admitted before as well, so that the
// order among the runs of one store stays.
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

// Thread: the control thread's. Owner: app. Invariant: what admit() accepted is in the store, with
// the offset that it was accepted under.
class FenceGate {
 public:
  FenceGate(boost::asio::any_io_executor executor, store::Store& store);
  boost::asio::awaitable<base::Result<>> load();
  // `fence`: a run's. kRefused when it is lower than one admitted before. 0 (a person's or the
  // agent's own act under no lock) passes without leaving a trace.
  boost::asio::awaitable<base::Result<>> admit(std::string lock, uint64_t fence);
  uint64_t highest(std::string_view lock) const;  // effective
  // A proxy has seen this effective fence. Above the highest known: the store is another one or an
  // older copy, and all runs' fences are lifted above it from here on. Durable with the next
  // admit(); until then proxies tell it again after a restart.
  void raise_floor(std::string_view lock, uint64_t fence);

 private:
  struct Known {
    uint64_t highest = 0;  // effective
    uint64_t offset = 0;   // at most highest
    uint64_t stored = 0;   // the effective fence that the store has; 0: none
  };
  boost::asio::awaitable<base::Result<std::map<std::string, uint64_t>>> read(std::string prefix);

  store::Store& store_;
  Turn turn_;
  std::map<std::string, Known, std::less<>> known_;  // by lock
};

std::string cluster_lock(std::string_view cluster);  // "cluster/amber"

}  // namespace agent::coord
