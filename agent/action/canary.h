// Canary: a client like any other. It logs in through a proxy with the canary cache's credential,
// and sets and gets a key of its own on every backend, chosen by slot_of under the committed table;
// so what it sees is what customers see: listener, authentication, routing, link and backend.
//
// One kept connection per proxy; a probe that does not end in its time closes it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
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
  base::Duration took = base::Duration(0);
  std::string what;  // why not
};

// The keys "canary-<n>" of `cache` that the table gives to each backend, the first `count` of each.
std::map<std::string, std::vector<std::string>> keys_by_backend(const base::EpochTable& table,
                                                                base::CacheId cache, size_t count);

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
  boost::asio::any_io_executor executor_;
  const coord::Region& region_;
  const coord::TableJournal& journal_;
  const coord::Tenants& tenants_;
  base::Timers& timers_;
  std::map<std::string, std::unique_ptr<Connection>, std::less<>> connections_;
};

}  // namespace agent::action
