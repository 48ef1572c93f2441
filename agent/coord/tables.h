// Tables: changes of the epoch of a cluster, carried out and resumed.
//
// The order of events is decided by EpochChange (epoch_change.h); this is its hands: it journals,
// asks the proxies by ProxySync, raises fence records, kills an owner when that was permitted,
// commits or rolls back. After a restart of the agent resume() picks up whatever the journal holds.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/coord/epoch_change.h"
#include "agent/coord/fence_records.h"
#include "agent/coord/peers.h"
#include "agent/coord/proxy_sync.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "agent/coord/tenants.h"
#include "agent/coord/turn.h"
#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::coord {

struct TableRequest {
  std::string cluster;
  std::map<std::string, uint32_t> weights;  // backend -> weight; those not named keep theirs
  bool may_kill_unreachable_owner = false;
  bool afresh = false;  // also with the same weights: every slot gets a new since
  base::Instant deadline;

  TableRequest(std::string c, std::map<std::string, uint32_t> w, bool may_kill, base::Instant d)
      : cluster(std::move(c)),
        weights(std::move(w)),
        may_kill_unreachable_owner(may_kill),
        deadline(d) {}
};

// Thread: the control thread's. Owner: app.
class Tables {
 public:
  Tables(boost::asio::any_io_executor executor, Region& region, TableJournal& journal,
         const Tenants& tenants, ProxySync& sync, FenceRecords& fences, BackendControl& backends,
         ProcessControl& processes, base::Timers& timers, base::Gate& gate);

  // The new epoch, committed and given to every proxy that answers; or the present epoch when the
  // weights are already so. kRefused: rolled back, the text names the silent proxies and the
  // unreachable backends. kTimeout: the deadline passed and the change goes on by itself.
  boost::asio::awaitable<base::Result<base::Epoch>> change(TableRequest request);
  // Finishes what the journal holds; makes the first table and follows the region's definition.
  boost::asio::awaitable<base::Result<>> resume(std::string cluster);
  // Whether proxies or backends know an epoch or a flush that the store does not: it was lost, or is an
  // older copy. Until that is put right nothing they have beyond it counts.
  bool is_behind(std::string_view cluster) const;
  uint64_t seen_flush(std::string_view cluster) const { return seen(cluster).flush_sequence; }
  // A new epoch above everything seen, in which every slot begins anew.
  boost::asio::awaitable<base::Result<>> rebuild(std::string cluster);
  const ClusterTables& at(std::string_view cluster) const { return journal_.at(cluster); }
  // Who blocks the change in progress; empty when there is none or nobody does.
  ChangeBlockers blockers(std::string_view cluster) const;

 private:
  struct Active;  // a change under way
  struct Job;     // a request whose caller may have stopped waiting
  using Outcome = base::Result<base::Epoch>;
  boost::asio::awaitable<void> run_job(std::shared_ptr<Job> job);
  boost::asio::awaitable<Outcome> change_in_turn(TableRequest request);
  boost::asio::awaitable<base::Result<>> flush_returning(std::string cluster,
                                                         std::vector<std::string> backends);
  boost::asio::awaitable<void> settle(std::string cluster);
  boost::asio::awaitable<Outcome> drive(std::string cluster, bool may_kill);
  base::Error rolled_back(const Active& active, const std::string& why);
  boost::asio::awaitable<std::optional<Outcome>> take_step(std::shared_ptr<Active> active);
  boost::asio::awaitable<void> ask_prepare(std::shared_ptr<Active> active, std::string proxy);
  boost::asio::awaitable<void> try_fence(std::shared_ptr<Active> active, std::string backend);
  boost::asio::awaitable<void> tell_proxies(std::string cluster);
  boost::asio::awaitable<void> tell(std::string proxy);
  boost::asio::awaitable<bool> ask_all(std::string cluster);
  FenceRecord seen(std::string_view cluster) const;
  TableRequest wanted(const std::string& cluster) const;

  boost::asio::any_io_executor executor_;
  Region& region_;
  TableJournal& journal_;
  const Tenants& tenants_;
  ProxySync& sync_;
  FenceRecords& fences_;
  BackendControl& backends_;
  ProcessControl& processes_;
  base::Timers& timers_;
  base::Gate& gate_;
  std::map<std::string, Turn, std::less<>> turns_;
  std::map<std::string, std::shared_ptr<Active>, std::less<>> active_;
};

}  // namespace agent::coord
