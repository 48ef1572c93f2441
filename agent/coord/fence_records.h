// FenceRecords: the agent's side of the fence record on every backend.
//
// The wanted record of a cluster is {newest epoch that may be named, newest durable flush
// sequence}; both only grow, and records are only raised (BackendControl::raise_fence compares and
// swaps). Writing the *wanted* record to any backend at any time is therefore safe: whatever the
// proxies do not know yet makes them hold back, and an empty backend (new, restarted, flushed) has
// nothing stale to serve. What would be unsafe, giving a restarted owner a record from before its
// old process was counted as fenced, cannot happen: the wanted record is looked up after the
// connection to the process was made (FenceSource), and by then the journal says fencing, or the
// flush is durable.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "agent/coord/tenants.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::coord {

inline constexpr base::Duration kFenceWriteTimeout = base::Duration(200'000'000);

// Thread: the control thread's. Owner: app.
class FenceRecords {
 public:
  FenceRecords(const Region& region, const TableJournal& journal, const Tenants& tenants,
               BackendControl& backends, base::Clock& clock);

  FenceRecord wanted(std::string_view cluster) const;
  // Raises the record of one backend to the wanted one, and says which that was when it was chosen.
  // Errors as BackendControl::raise_fence.
  boost::asio::awaitable<base::Result<FenceRecord>> raise(std::string backend);
  // When a record covering `record` was first known to be on the backend's present process.
  std::optional<base::Instant> held_since(std::string_view backend,
                                          const FenceRecord& record) const;
  // The newest record that was seen on any backend of the cluster: if the store does not cover it, the
  // store is not the one that wrote it.
  FenceRecord seen(std::string_view cluster) const;
  void note(std::string_view cluster, const FenceRecord& present);
  // What a probe that was sent after `moment` found on the backend; nullopt: there was none. What is
  // there counts as seen.
  std::optional<ReadFence> probed_after(std::string_view backend, base::Instant moment);
  // Whether a record naming `epoch` or a newer one may have been written since the agent started.
  bool may_exist(std::string_view cluster, base::Epoch epoch) const;
  // The backend's process has ended or its contents were flushed: nothing is known of its record.
  void forget(std::string_view backend);
  // Grows whenever one that was held may be so no more.
  uint64_t loss_count() const { return losses_; }

 private:
  struct Held {
    bool known = false;
    FenceRecord record;
    base::Instant since;
    uint64_t life = 0;
  };
  struct Tried {
    std::multiset<base::Epoch> in_flight;  // claimed, and not known yet what came of it
    base::Epoch highest = 0;               // of those that were written or may have been
  };
  class Raising;

  const Region& region_;
  const TableJournal& journal_;
  const Tenants& tenants_;
  BackendControl& backends_;
  base::Clock& clock_;
  std::map<std::string, Held, std::less<>> held_;
  std::map<std::string, Tried, std::less<>> tried_;
  std::map<std::string, FenceRecord, std::less<>> seen_;
  uint64_t losses_ = 0;
};

}  // namespace agent::coord
