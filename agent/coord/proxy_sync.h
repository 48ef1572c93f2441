// ProxySync: brings one proxy to the wanted state, by the cheapest verbs that get it there.
//
// Idea: there is one path to a proxy. A change of tenants, a flush, a prepare, a commit and the
// daily reconciling all say "the wanted state has changed, sync"; sync looks at what the proxy is
// known to have (from its last answer, or by asking `status`) and sends what is missing: configure
// or change, flush, then prepare, commit or abort. Calls to one proxy take turns, so that they
// arrive in order; after a call without an answer nothing is known and the next sync asks first.
//
// What it leaves out: when to sync (reconciler.h) and what follows from the answers (tables,
// flushes).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/coord/fence_gate.h"
#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "agent/coord/tenants.h"
#include "agent/coord/turn.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::coord {

inline constexpr base::Duration kStatusTimeout = base::Duration(200'000'000);
inline constexpr base::Duration kStepTimeout = base::Duration(300'000'000);
inline constexpr base::Duration kConfigureTimeout = base::Duration(2'000'000'000);

struct KnownProxy {
  std::optional<ProxyStatus> status;  // nullopt: nothing known
  base::Instant answered;             // when it last answered anything
  base::Instant silent_since;         // ns != 0: calls fail since then
};

// Thread: the control thread's. Owner: app.
class ProxySync {
 public:
  ProxySync(boost::asio::any_io_executor executor, const Region& region,
            const TableJournal& journal, const Tenants& tenants, FenceGate& gate,
            ProxyControl& proxies, base::Clock& clock);

  // Success: the proxy has what was wanted when its turn came. `ask`: with a fresh `status` in any
  // case.
  boost::asio::awaitable<base::Result<>> sync(std::string proxy, bool ask);
  const KnownProxy& known(std::string_view proxy) const;
  // The newest that any proxy of the cluster was seen to have. Beyond what the store knows it comes
  // from another store: the present one was lost or is an older copy, and nothing that proxies have
  // beyond it acknowledges anything.
  FenceRecord seen(std::string_view cluster) const;
  // The newest table that a proxy of the cluster serves by now.
  base::Epoch served(std::string_view cluster) const;
  bool acknowledged_epoch(std::string_view proxy, base::Epoch epoch) const;
  bool acknowledged_flush(std::string_view proxy, uint64_t sequence) const;
  // Whether it takes writes of what was flushed up to `sequence`.
  bool acknowledged_completion(std::string_view proxy, uint64_t sequence) const;
  // Whether nothing is missing, by what is known.
  bool in_step(std::string_view proxy) const;
  // The process has ended or a new one was started.
  void forget(std::string_view proxy);

 private:
  struct Peer {
    Turn turn;
    std::string cluster;
    KnownProxy known;
    FenceRecord seen;
    std::string instance;
    bool configured = false;  // this instance, by us
    uint64_t life = 0;        // counts the proxy's processes
    Peer(boost::asio::any_io_executor executor, std::string c)
        : turn(std::move(executor)), cluster(std::move(c)) {}
  };
  using Answer = boost::asio::awaitable<base::Result<>>;
  Peer& peer(std::string_view proxy);
  const std::string& cluster_of(std::string_view proxy) const;
  boost::asio::awaitable<base::Result<boost::json::value>> call(const std::string& proxy,
                                                                std::string verb,
                                                                boost::json::object args,
                                                                base::Duration timeout);
  Answer ask_status(const std::string& proxy);
  Answer sync_tenants(const std::string& proxy);
  Answer sync_flushes(const std::string& proxy);
  Answer sync_completion(const std::string& proxy);
  Answer configure(const std::string& proxy);
  Answer sync_tables(const std::string& proxy);
  Answer prepare(const std::string& proxy, std::string table, base::Epoch epoch);
  Answer commit(const std::string& proxy, base::Epoch epoch);
  Answer abort(const std::string& proxy, base::Epoch epoch);

  const Region& region_;
  const TableJournal& journal_;
  const Tenants& tenants_;
  FenceGate& gate_;
  ProxyControl& proxies_;
  base::Clock& clock_;
  std::map<std::string, Peer, std::less<>> peers_;
};

}  // namespace agent::coord
