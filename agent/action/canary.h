// Canary: a client like any other. It logs in through a proxy with the canary cache's credential, and
// sets and gets keys of its own on every backend, chosen by slot_of under the committed table; so what
// it sees is what customers see: listener, authentication, routing, link and backend.
//
// One kept connection per proxy and backend, so that a backend that does not answer delays no probe but
// its own. A probe that does not end in its time closes its connection.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  std::string what;  // why not
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

 private:
  class Connection;
  struct Keys {
    base::Epoch epoch = 0;
    base::CacheId cache = 0;
    size_t count = 0;
    std::map<std::string, std::vector<std::string>> by_backend;
  };
  // As whom it logs in at a cluster's proxies; cache 0 or no user: as nobody.
  struct Identity {
    uint64_t change = 0;  // of the tenants, as it was looked up: that costs by how many there are
    base::CacheId cache = 0;
    std::string user;
  };
  const Identity& identity(const std::string& cluster);
  const Keys& keys_for(const std::string& proxy, size_t count);
  Connection& connection(const std::string& proxy, const std::string& backend);
  boost::asio::awaitable<void> probe_one(Connection& connection, std::vector<std::string> keys,
                                         base::Instant deadline, CanaryAnswer& answer);

  boost::asio::any_io_executor executor_;
  const coord::Region& region_;
  const coord::TableJournal& journal_;
  const coord::Tenants& tenants_;
  base::Timers& timers_;
  uint64_t probes_ = 0;                                      // makes every value its own
  std::map<std::string, Identity, std::less<>> identities_;  // by cluster
  std::map<std::string, Keys, std::less<>> keys_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Connection>> connections_;
};

}  // namespace agent::action
