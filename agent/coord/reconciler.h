// Reconciler: keeps every proxy and every fence record in the wanted state, whatever happened to
// them.
//
// One look at all of them every 100 ms, every 50 ms while somebody is out of step, which costs no
// call; whoever needs one is tended by a coroutine of its own, so that one who does not answer
// holds up nobody. A proxy is asked for its status once a second, every five while its telemetry
// shows that it is as it was known to be, and synced at the next look when something changed
// (tenants, tables, a new process) or it is out of step. A backend has its fence record read once a
// second; while it holds what is demanded only every third or fourth look is at it, until something
// new is demanded or a record may be lost. It also keeps the live state of proxies: up when in
// step, stuck after kStuckAfter without an answer. One whose workers turn while its control thread
// stands still is vouched for, and called stuck some 6 s later.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/coord/fence_records.h"
#include "agent/coord/peers.h"
#include "agent/coord/proxy_sync.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::coord {

inline constexpr base::Duration kReconcileEvery = std::chrono::seconds(1);
inline constexpr base::Duration kAskVouchedEvery = std::chrono::seconds(5);
inline constexpr base::Duration kLookEvery = std::chrono::milliseconds(100);
inline constexpr base::Duration kLookAgain = std::chrono::milliseconds(50);
// A backend that holds its record is looked at so often while nothing more is demanded of it, or a look
// later: looks come at beats, a little early or late, so that it is every 300 to 400 ms.
inline constexpr base::Duration kLookAtCalmEvery = std::chrono::milliseconds(300);
inline constexpr base::Duration kStuckAfter = std::chrono::seconds(1);
inline constexpr base::Duration kStartPatience = std::chrono::seconds(5);
inline constexpr base::Duration kRaiseAgain = std::chrono::milliseconds(200);
inline constexpr base::Duration kWaitLook = std::chrono::milliseconds(5);

// Thread: the control thread's. Owner: app.
class Reconciler {
 public:
  Reconciler(boost::asio::any_io_executor executor, Region& region, const TableJournal& journal,
             ProxySync& sync, FenceRecords& fences, ProcessControl& processes, base::Timers& timers,
             base::Gate& gate);
  // Who sees without a call that a proxy is alive and still as it is known to be. Before start(); nobody does
  // without one.
  using Witness = std::function<bool(const std::string& proxy, const ProxyStatus& known)>;
  void set_witness(Witness witness) { witness_ = std::move(witness); }
  // Starts the looks; they end when the gate is closed.
  void start();
  // Returns when the proxy is in step and configured, or at the deadline (kTimeout says what is
  // missing).
  boost::asio::awaitable<base::Result<>> wait_in_step(std::string proxy, base::Instant deadline);

 private:
  struct Member {
    std::string id, cluster;
    bool tended = false;         // by a coroutine, now
    base::Instant due{};         // of the call that is made once a second
    base::Instant asked{};       // a proxy for its status, the last time
    base::Instant looked{};      // at the backend's record, the last time
    base::Instant calm_until{};  // a backend that holds its record is not looked at before
    base::Instant patience{};    // nothing is tried before
  };
  boost::asio::awaitable<void> watch();
  // Whether it is as it should be.
  bool look_at_proxy(Member& proxy);
  struct Demand {
    FenceRecord record;
    bool stable = false;  // no change is being decided
    uint64_t losses = 0;  // FenceRecords::loss_count()
    friend bool operator==(const Demand&, const Demand&) = default;
  };
  bool look_at_backend(Member& backend, const Demand& demand);
  void take_probe(Member& backend, const Demand& demand);
  boost::asio::awaitable<void> tend_proxy(Member& proxy, bool ask);
  boost::asio::awaitable<void> tend_backend(Member& backend);
  bool is_vouched(Member& proxy);
  void judge(const std::string& proxy);

  boost::asio::any_io_executor executor_;
  Region& region_;
  const TableJournal& journal_;
  ProxySync& sync_;
  FenceRecords& fences_;
  ProcessControl& processes_;
  base::Timers& timers_;
  base::Gate& gate_;
  Witness witness_;

  // Which there are is constant after construction.
  std::vector<Member> proxies_, backends_;
  std::map<std::string, Demand, std::less<>> demands_;  // of the last look, by cluster
};

}  // namespace agent::coord
