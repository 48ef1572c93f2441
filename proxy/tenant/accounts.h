// Accounts: what each cache did through this proxy, for `stats` and for connection limits.
//
// Idea: each worker counts in a row of its own (one writer, relaxed stores), a reader sums the rows.
// The only thing workers share is the number of a cache's connections, touched when one authenticates
// or leaves, never per request.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/core/slots.h"
#include "proxy/tenant/ledger.h"

namespace proxy::tenant {

// The names that `stats` shows, in this order.
enum class Count : uint8_t {
  kAuthCommands,
  kAuthErrors,
  kBytesRead,
  kBytesWritten,
  kCasBadval,
  kCasHits,
  kCasMisses,
  kCommandDelete,
  kCommandFlush,
  kCommandGet,
  kCommandSet,
  kCommandTouch,
  kDecrHits,
  kDecrMisses,
  kDeleteHits,
  kDeleteMisses,
  kGetHits,
  kGetMisses,
  kIncrHits,
  kIncrMisses,
  kTotalConnections,
  kTotalItems,
  kTouchHits,
  kTouchMisses,
};
inline constexpr size_t kCountCount = static_cast<size_t>(Count::kTouchMisses) + 1;
std::string_view to_string(Count count);

using Counts = std::array<uint64_t, kCountCount>;

// One worker's counters of one cache. Thread: written by its worker, read by any.
class alignas(64) CountRow {
 public:
  void add(Count count, uint64_t n = 1) {
    std::atomic<uint64_t>& cell = cells_[static_cast<size_t>(count)];
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t get(size_t i) const { return cells_[i].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kCountCount> cells_{};
};

// Thread: any; row(w) is written by worker w only. Owner: Accounts, for the life of the process.
class Account {
 public:
  explicit Account(uint32_t workers) : rows_(workers) {}

  CountRow& row(uint32_t worker) { return rows_[worker]; }
  // False, and nothing is taken, when `limit` (0: none) connections are open already.
  bool take_connection(uint32_t limit);
  void return_connection() { connections_.fetch_sub(1, std::memory_order_relaxed); }
  uint32_t connections() const { return connections_.load(std::memory_order_relaxed); }

  Ledger& ledger() { return ledger_; }

  // Since the last reset(), and since the process started.
  Counts counts() const;
  Counts totals() const;
  void reset();

 private:
  std::vector<CountRow> rows_;
  std::atomic<uint32_t> connections_{0};
  Ledger ledger_;
  mutable std::mutex mutex_;
  Counts forgotten_{};  // guarded by mutex_: the sums at the last reset
};

// Thread: any.
class Accounts {
 public:
  explicit Accounts(uint32_t workers) : workers_(workers) {}
  // The account of a cache, made at first use; valid for the life of this object.
  Account& open(base::CacheId cache);
  // Those of the caches from `first` to `last`, in that order.
  std::vector<std::pair<base::CacheId, Account*>> between(base::CacheId first, base::CacheId last);

 private:
  const uint32_t workers_;
  std::mutex mutex_;
  std::map<base::CacheId, std::unique_ptr<Account>> accounts_;  // guarded by mutex_
};

}  // namespace proxy::tenant
