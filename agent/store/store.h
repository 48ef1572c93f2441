// The store: durable, transactional key-value state of the control plane.
//
// Keys are paths (`/caches/12`, `/runs/run-…/steps/2`), values JSON text. One transaction compares
// revisions and writes several keys at once; when commit() returns success the writes survive power
// loss. The model is that of etcd v3, so that one machine (SQLite, WAL, synchronous=FULL) and a
// fleet (etcd) run the same code and the same test suite (tests/unit/agent/store/store_suite.h).
//
//   /clusters/<name>     definition, committed and prepared epoch tables, flush sequence
//   /resources/<id>      what the provider made: kind, cluster, address, port, pid, start time, key
//   /caches/<id>         label, plan, cluster, flush generation, enabled
//   /credentials/<user>  cache, salt and verifier, sealed secret, capabilities, primary
//   /incidents/<id>      incident documents            /runs/<id>  run documents, steps below them
//   /locks/<name>        holder, fence                 /cooldowns/<key>   /pauses/<name>
//   /flushes/<seq>
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"

namespace agent::store {

using Revision = uint64_t;  // of the whole store; grows by one per commit

struct Entry {
  std::string key;
  std::string value;
  Revision created = 0;
  Revision modified = 0;
};

// All comparisons hold, then all writes happen; else nothing does (kConflict).
struct Transaction {
  struct Compare {
    std::string key;
    Revision modified = 0;  // 0: the key must not exist
  };
  struct Write {
    std::string key;
    std::optional<std::string> value;  // nullopt: delete
  };
  std::vector<Compare> compares;
  std::vector<Write> writes;

  Transaction() = default;
  Transaction& expect(std::string key, Revision modified) {
    compares.push_back({std::move(key), modified});
    return *this;
  }
  Transaction& put(std::string key, std::string value) {
    writes.push_back({std::move(key), std::move(value)});
    return *this;
  }
  Transaction& erase(std::string key) {
    writes.push_back({std::move(key), std::nullopt});
    return *this;
  }
};

// Thread: the control thread's; implementations do their I/O elsewhere. Owner: app.
// Errors: kConflict (a comparison failed), kUnavailable (cannot be reached; nothing written), kIo
// (full or broken disk; nothing written), kUnknown (may have been written).
class Store {
 public:
  virtual ~Store() = default;
  virtual boost::asio::awaitable<base::Result<std::optional<Entry>>> get(std::string key) = 0;
  // In key order.
  virtual boost::asio::awaitable<base::Result<std::vector<Entry>>> list(std::string prefix) = 0;
  virtual boost::asio::awaitable<base::Result<Revision>> commit(Transaction transaction) = 0;
};

}  // namespace agent::store
