// Flushes: a cache's contents become unreachable for every proxy at once, and somebody is told
// when.
//
// A flush is decided when its generation and sequence are durable; from then on it will complete,
// across restarts and whoever is away: proxies are told, then fence records with the new sequence
// are raised on all backends, and it is complete when every proxy has acknowledged or is fenced on
// every backend. Until then no proxy takes writes of what was flushed, since another one may still
// serve the old contents; so proxies are told of the completion before the caller is. The caller
// waits at most kFlushPatience and then hears "flush pending". A delayed
// flush is a durable timer.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <memory>
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

inline constexpr base::Duration kFlushPatience = base::Duration(2'000'000'000);

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
  // complete. Any other error: nothing happened.
  boost::asio::awaitable<base::Result<base::Generation>> flush(FlushRequest request);
  size_t pending() const { return pending_; }

 private:
  struct Progress;
  struct Timer {
    FlushRequest request;
    base::WallTime due;
  };
  using Answer = boost::asio::awaitable<base::Result<base::Generation>>;
  Answer delay(FlushRequest request, std::string cluster);
  Answer wait_for(std::shared_ptr<Progress> progress);
  std::shared_ptr<Progress> begin(FlushStep step);
  boost::asio::awaitable<void> complete(std::shared_ptr<Progress> progress);
  boost::asio::awaitable<void> tell(std::string proxy);
  boost::asio::awaitable<void> raise(std::shared_ptr<Progress> progress, std::string backend);
  boost::asio::awaitable<void> run_timers();
  boost::asio::awaitable<base::Result<>> load_timers();
  bool done(const Progress& progress) const;
  boost::asio::awaitable<void> tell_completion(std::shared_ptr<Progress> progress);
  bool fenced_everywhere(const Progress& progress) const;
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
  size_t pending_ = 0;
  std::map<base::CacheId, Timer> delayed_;  // at most one a cache: a later request replaces it
};

}  // namespace agent::coord
