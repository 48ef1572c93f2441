#include "proxy/tenant/accounts.h"

namespace proxy::tenant {

std::string_view to_string(Count count) {
  static constexpr std::array<std::string_view, kCountCount> kNames = {
      "auth_cmds",         "auth_errors", "bytes_read", "bytes_written", "cas_badval",
      "cas_hits",          "cas_misses",  "cmd_delete", "cmd_flush",     "cmd_get",
      "cmd_set",           "cmd_touch",   "decr_hits",  "decr_misses",   "delete_hits",
      "delete_misses",     "get_hits",    "get_misses", "incr_hits",     "incr_misses",
      "total_connections", "total_items", "touch_hits", "touch_misses"};
  return kNames[static_cast<size_t>(count)];
}

bool Account::take_connection(uint32_t limit) {
  uint32_t open = connections_.load(std::memory_order_relaxed);
  do {
    if (limit != 0 && open >= limit) return false;
  } while (!connections_.compare_exchange_weak(open, open + 1, std::memory_order_relaxed));
  return true;
}

Counts Account::totals() const {
  Counts sums{};
  for (const CountRow& row : rows_) {
    for (size_t i = 0; i < kCountCount; ++i) sums[i] += row.get(i);
  }
  return sums;
}

Counts Account::counts() const {
  Counts counts = totals();
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < kCountCount; ++i) counts[i] -= forgotten_[i];
  return counts;
}

void Account::reset() {
  const std::lock_guard lock(mutex_);
  forgotten_ = totals();
  ledger_.reset_counts();
}

Account& Accounts::open(base::CacheId cache) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Account>& account = accounts_[cache];
  if (!account) account = std::make_unique<Account>(workers_);
  return *account;
}

std::vector<std::pair<base::CacheId, Account*>> Accounts::between(base::CacheId first,
                                                                  base::CacheId last) {
  std::vector<std::pair<base::CacheId, Account*>> found;
  const std::lock_guard lock(mutex_);
  for (auto at = accounts_.lower_bound(first); at != accounts_.end() && at->first <= last; ++at) {
    found.emplace_back(at->first, at->second.get());
  }
  return found;
}

}  // namespace proxy::tenant
