// Those whom the coordinator speaks to, as it sees them: proxies by their control sockets,
// memcached straight, processes by the provider. The adapters are in agent/action, the fakes in
// tests/support.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/core/result.h"
#include "base/core/slots.h"
#include "base/memcache/fence_record.h"
#include "base/time/clock.h"

namespace agent::coord {

// One verb of docs/architecture.md "Calls to a proxy".
struct ProxyCall {
  std::string proxy;
  std::string verb;
  uint64_t fence = 0;
  boost::json::object args;
  base::Duration timeout = base::Duration(0);

  ProxyCall(std::string p, std::string v, uint64_t f, boost::json::object a, base::Duration t)
      : proxy(std::move(p)), verb(std::move(v)), fence(f), args(std::move(a)), timeout(t) {}
};

// Thread: the control thread's. Owner: app.
class ProxyControl {
 public:
  virtual ~ProxyControl() = default;
  // kUnavailable: nothing was sent. kTimeout: the effect is unknown. Else the proxy's own answer.
  virtual boost::asio::awaitable<base::Result<boost::json::value>> call(ProxyCall call) = 0;
};

// The answer to `status`.
struct ProxyStatus {
  std::string id;
  int64_t pid = 0;
  std::string instance;  // differs at each start
  base::Epoch committed = 0;
  base::Epoch prepared = 0;  // 0: none
  uint64_t config_generation = 0;
  uint64_t flush_sequence = 0;
  uint64_t completed_flush = 0;
  uint64_t fence = 0;
  bool draining = false;
  uint64_t connections = 0;
  std::vector<std::string> fenced_backends;
};
base::Result<ProxyStatus> parse_proxy_status(const boost::json::value& value);

using base::memcache::FenceRecord;

struct BackendStats {
  uint64_t items = 0;
  uint64_t bytes = 0;
  uint64_t limit_bytes = 0;
  uint64_t connections = 0;
  uint64_t connection_limit = 0;  // 0: not said
  uint64_t uptime_seconds = 0;
  uint64_t evictions = 0;
};

// What a fence record should be, asked for as late as can be: once the connection to the backend's
// process stands. Thread: the control thread's.
class FenceSource {
 public:
  virtual ~FenceSource() = default;
  // The record as of now. From this call on a record up to it counts as perhaps written.
  virtual FenceRecord claim() = 0;
  // What is there already.
  virtual void saw(const FenceRecord& present) = 0;
};

// What a probe found under the fence record's key.
struct ReadFence {
  base::Instant asked;                // not later than the question was sent
  std::optional<FenceRecord> record;  // none: nothing that is one
};

// Straight to memcached, never through the forwarder. Thread: the control thread's. Owner: app.
class BackendControl {
 public:
  virtual ~BackendControl() = default;
  // One read of a key that is not there, sent no earlier than this call; the time it took. The fence
  // record is read along with it. Waits for what was asked of the backend before; `timeout` is for all.
  virtual boost::asio::awaitable<base::Result<base::Duration>> probe(std::string backend,
                                                                     base::Duration timeout) = 0;
  // Asks all of them at once, and looks once, a few milliseconds later: a tenth of the work. nullopt:
  // no answer yet, and the caller has to wait for it with finish_probe(); everybody else's calls to
  // that backend wait until then.
  using Probed = std::optional<base::Result<base::Duration>>;
  virtual boost::asio::awaitable<std::vector<Probed>> probe_all(
      std::vector<std::string> backends) = 0;
  // The answer to what probe_all() has asked; or as probe() when it could ask nothing, or when the
  // connection was gone. `timeout` counts from the asking, for all of it.
  virtual boost::asio::awaitable<base::Result<base::Duration>> finish_probe(
      std::string backend, base::Duration timeout) = 0;
  // By the last probe that was answered; nullopt: there was none. It may be of a process that has
  // ended since, so it proves only that the record is worth a look or not.
  virtual std::optional<ReadFence> probed_fence(std::string_view backend) const = 0;
  virtual boost::asio::awaitable<base::Result<std::optional<FenceRecord>>> read_fence(
      std::string backend, base::Duration timeout) = 0;
  // Raises the record to at least what `source` says (the part-wise maximum with what is there) by
  // compare and swap, so that a write delayed in a stopped backend can never lower it. The source
  // is asked after the connection was made and nothing is awaited between its answer and the
  // sending: a process that came up later is never given a record from before. Success: it is
  // there. kUnavailable: certainly nothing was written by this call. kTimeout: it may have been.
  virtual boost::asio::awaitable<base::Result<>> raise_fence(std::string backend,
                                                             FenceSource& source,
                                                             base::Duration timeout) = 0;
  virtual boost::asio::awaitable<base::Result<>> flush_all(std::string backend,
                                                           base::Duration timeout) = 0;
  virtual boost::asio::awaitable<base::Result<BackendStats>> stats(std::string backend,
                                                                   base::Duration timeout) = 0;
  // The same of all of them, asked at once: one look for the answers instead of twenty. Who cannot
  // be asked with the others is asked afterwards, with as much time. nullopt: there was no answer
  // in time.
  virtual boost::asio::awaitable<std::vector<std::optional<BackendStats>>> stats_all(
      std::vector<std::string> backends, base::Duration timeout) = 0;
};

// Thread: the control thread's. Owner: app.
class ProcessControl {
 public:
  virtual ~ProcessControl() = default;
  // False: it has certainly ended, or never began. Never false while it may run.
  virtual bool running(const std::string& id) const = 0;
  // SIGKILL, then waits for the end. Success also when there was nothing to kill. kTimeout: it has
  // not ended yet (uninterruptible sleep).
  virtual boost::asio::awaitable<base::Result<>> kill(std::string id, base::Duration timeout) = 0;
  // Starts the member. kExists: it runs already. The pid.
  virtual boost::asio::awaitable<base::Result<pid_t>> start(std::string id, std::string token) = 0;
};

}  // namespace agent::coord
