// Flushes: a cache's contents become unreachable for every proxy at once, and somebody is told
// when.
//
// A flush is decided when its generation and sequence are durable; from then on it will complete,
// across restarts and whoever is away: proxies are told, then fence records with the new sequence
// are raised on all backends, and it is complete when every proxy has acknowledged or is fenced on
// every backend. Until then no proxy takes writes of what was flushed, since another one may still
// serve the old contents; so proxies are told of the completion before the caller is. The caller
// waits at most kFlushPatience and then hears "flush pending". A delayed flush is a durable timer.
//
// One loop per cluster completes whatever is pending, since a proxy or a record that has a sequence
// has all before it: in an outage a thousand pending flushes cost what one does, and more are refused.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "agent/coord/fence_records.h"
#include "agent/coord/peers.h"
#include "agent/coord/proxy_sync.h"
#include "agent/coord/region.h"
#include "agent/coord/tenants.h"
#include "agent/coord/turn.h"
#include "agent/store/store.h"
#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::coord {

// Below the two seconds after which a client hears "flush pending" whatever the agent does.
inline constexpr base::Duration kFlushPatience = base::Duration(1'800'000'000);

enum class FlushOrigin { kMemcacheClient, kWebInterface, kAdminOperation };
std::string_view to_string(
    FlushOrigin origin);  // "memcache client", "web interface", "admin operation"
base::Result<FlushOrigin> parse_flush_origin(std::string_view text);

struct FlushRequest {
  base::CacheId cache = 0;  // 0: all caches of `cluster`
  std::string cluster;      // only with cache 0
  FlushOrigin origin = FlushOrigin::kAdminOperation;
  std::string who;    // the credential, or the operator
  std::string proxy;  // the proxy that asked; its host goes to the flush log; may be empty
  std::string reason;
  uint32_t delay_seconds = 0;
  std::optional<base::WallTime> asked;  // when the delay began; none: now

  FlushRequest(base::CacheId c, FlushOrigin o, std::string w, std::string r)
      : cache(c), origin(o), who(std::move(w)), reason(std::move(r)) {}
};

// Thread: the control thread's. Owner: app.
class Flushes {
 public:
  Flushes(boost::asio::any_io_executor executor, const Region& region, store::Store& store,
          Tenants& tenants, ProxySync& sync, FenceRecords& fences, ProcessControl& processes,
          base::Timers& timers, base::Gate& gate);

  // Takes up pending flushes and timers; once, after Tenants::load.
  boost::asio::awaitable<base::Result<>> resume();
  // The cache's generation (of the first cache, for a cluster). kTimeout "flush pending": it will
  // complete. kExhausted: too many are pending. Any other error: nothing happened.
  boost::asio::awaitable<base::Result<base::Generation>> flush(FlushRequest request);
  // Puts right what a store that was lost, or is an older copy, does not know: every cache of the
  // cluster is flushed, above everything that proxies and backends have seen. Returns once that is
  // durable; it completes as every flush does.
  boost::asio::awaitable<base::Result<>> recover(std::string cluster, uint64_t sequence);
  size_t pending() const;

 private:
  static constexpr size_t kMostPending = 1024;  // a cluster
  struct Progress;
  using ProgressPtr = std::shared_ptr<Progress>;
  // What is pending in one cluster, and which calls are under way for it.
  struct Cluster {
    std::map<uint64_t, ProgressPtr> waiting;  // by sequence
    std::set<std::string> telling, raising;   // proxies, backends
    // No less acknowledges anything: what proxies had before came from a lost store.
    uint64_t floor = 0;
    bool running = false;
  };
  struct Timer {
    FlushRequest request;
    base::WallTime asked, due;
  };
  using Answer = boost::asio::awaitable<base::Result<base::Generation>>;
  Answer delay(FlushRequest request, std::string cluster);
  Answer wait_for(ProgressPtr progress);
  ProgressPtr begin(FlushStep step);
  boost::asio::awaitable<void> complete_all(std::string cluster);
  boost::asio::awaitable<void> complete_up_to(std::string cluster, uint64_t sequence);
  void tell_all(const std::string& cluster, uint64_t sequence, bool completion);
  void raise_all(const std::string& cluster, uint64_t sequence);
  boost::asio::awaitable<void> tell(std::string cluster, std::string proxy);
  boost::asio::awaitable<void> raise(std::string cluster, std::string backend);
  boost::asio::awaitable<void> run_timers();
  void take_up_lost();
  boost::asio::awaitable<base::Result<>> load_timers();
  bool done(const std::string& cluster, uint64_t sequence) const;
  bool fenced_everywhere(const std::string& cluster, uint64_t sequence) const;
  void log_line(const boost::json::object& journal, const FlushStep& step) const;

  boost::asio::any_io_executor executor_;
  const Region& region_;
  store::Store& store_;
  Tenants& tenants_;
  ProxySync& sync_;
  FenceRecords& fences_;
  ProcessControl& processes_;
  base::Timers& timers_;
  base::Gate& gate_;
  std::map<std::string, Cluster> clusters_;
  Turn turn_;  // whose changes of delayed_ and of the timers in the store go together
  std::map<base::CacheId, Timer> delayed_;  // at most one a cache: the one asked for last
};

}  // namespace agent::coord
