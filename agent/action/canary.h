// Canary: a client like any other. It logs in through a proxy with the canary cache's credential, and
// sets and gets keys of its own on every backend, chosen by slot_of under the committed table; so what
// it sees is what customers see: listener, authentication, routing, link and backend.
//
// One kept connection per proxy and backend, so that a backend that does not answer delays no probe but
// its own. A probe that does not end in its time closes its connection.
//
// A look, again and again, asks for all backends of a proxy at once on one more connection: that costs a
// tenth. When they are not all answered soon and as they should be, each is asked on its own connection,
// and so it stays for as long as one of them fails and for a while after. So it does where they are well
// and are merely slow to answer together: to try both ways each time would be dearer than either.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/action/text_peer.h"
#include "agent/coord/region.h"
#include "agent/coord/table_journal.h"
#include "agent/coord/tenants.h"
#include "base/core/result.h"
#include "base/core/slots.h"
#include "base/time/timers.h"

namespace agent::action {

inline constexpr base::Duration kCanaryTimeout = base::Duration(1'000'000'000);

struct CanaryAnswer {
  std::string proxy;
  std::string backend;
  bool ok = false;
  bool logged_in = false;  // the proxy itself answered
  base::Duration took = base::Duration(0);
  std::string what;       // why not
  uint64_t requests = 0;  // that the proxy may count
};

struct CanaryLook {
  std::vector<CanaryAnswer> answers;  // one for every backend that owns slots
  bool together = false;              // all took as long as the last of them
};

// The first `count` keys "<prefix>-<n>" of `cache` that the table gives to each backend that owns slots.
std::map<std::string, std::vector<std::string>> keys_by_backend(const base::EpochTable& table,
                                                                base::CacheId cache,
                                                                std::string_view prefix,
                                                                size_t count);

// Thread: the control thread's. Owner: app.
class Canary {
 public:
  Canary(boost::asio::any_io_executor executor, const coord::Region& region,
         const coord::TableJournal& journal, const coord::Tenants& tenants, base::Timers& timers);
  ~Canary();

  // One answer for every backend that owns slots, all by `timeout`; ok only when all of a backend's
  // keys were stored and read back.
  boost::asio::awaitable<std::vector<CanaryAnswer>> probe(std::string proxy,
                                                          size_t keys_per_backend,
                                                          base::Duration timeout);

  // The same with one key of each backend, for one who looks regularly: it costs little while all
  // is well, and tells at a tenth of a second, 50 to 150 ms later. `doubted` is called when not all
  // are answered as they should be, before each is asked on its own. `timeout` counts from then, so
  // that slow answers are not taken for none because of what was tried first; a look may last 400
  // ms more than it. One at a time for a proxy.
  boost::asio::awaitable<CanaryLook> look(std::string proxy, base::Duration timeout,
                                          std::function<void()> doubted);

 private:
  class Connection;
  struct Keys {
    base::Epoch epoch = 0;
    base::CacheId cache = 0;
    size_t count = 0;
    std::map<std::string, std::vector<std::string>> by_backend;
  };
  // What is asked of all backends of a proxy at once.
  struct Together {
    explicit Together(std::string proxy) : prefix("canary-all-" + std::move(proxy)) {}
    const std::string prefix;
    Keys keys;
    bool trusted = false;  // all were well lately
    base::Instant doubted_until;
    base::Duration patience = kLeastPatience;  // before each is asked on its own
  };
  // How that went.
  struct Tried {
    std::vector<CanaryAnswer> answers;
    base::Result<> done;
    bool was_kept = false;  // on a connection that had served before
  };
  static constexpr base::Duration kLeastPatience = std::chrono::milliseconds(100);
  static constexpr base::Duration kMostPatience = std::chrono::milliseconds(400);
  static constexpr base::Duration kDoubt = std::chrono::seconds(10);

  // As whom it logs in at a cluster's proxies; cache 0 or no user: as nobody.
  struct Identity {
    uint64_t change = 0;  // of the tenants, as it was looked up: that costs by how many there are
    base::CacheId cache = 0;
    std::string user;
  };
  const Identity& identity(const std::string& cluster);
  void renew(Keys& keys, const std::string& proxy, const std::string& prefix, size_t count);
  const Keys& keys_for(const std::string& proxy, size_t count);
  Together& together(const std::string& proxy);
  Connection& connection(const std::string& proxy, const std::string& backend);
  boost::asio::awaitable<std::vector<CanaryAnswer>> probe_each(std::string proxy, size_t count,
                                                               base::Instant deadline, Look look);
  boost::asio::awaitable<void> probe_one(Connection& connection, std::vector<std::string> keys,
                                         base::Instant deadline, Look look, CanaryAnswer& answer);
  boost::asio::awaitable<Tried> probe_together(std::string proxy, base::Instant deadline);
  static bool is_explained(const Together& all, const Tried& failed);
  boost::asio::awaitable<base::Result<>> log_in(Connection& connection, const std::string& user,
                                                base::Instant deadline);

  boost::asio::any_io_executor executor_;
  const coord::Region& region_;
  const coord::TableJournal& journal_;
  const coord::Tenants& tenants_;
  base::Timers& timers_;
  uint64_t probes_ = 0;                                      // makes every value its own
  std::map<std::string, Identity, std::less<>> identities_;  // by cluster
  std::map<std::string, Keys, std::less<>> keys_;
  std::map<std::string, Together, std::less<>> together_;  // by proxy
  // By proxy and backend; by proxy and nothing: the one for all.
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Connection>> connections_;
};

}  // namespace agent::action
