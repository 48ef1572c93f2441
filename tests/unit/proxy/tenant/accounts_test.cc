#include "proxy/tenant/accounts.h"

#include <gtest/gtest.h>

namespace proxy::tenant {
namespace {

TEST(Accounts, SumsTheWorkersRows) {
  Accounts accounts(2);
  Account& account = accounts.open(7);
  EXPECT_EQ(&account, &accounts.open(7));
  EXPECT_NE(&account, &accounts.open(8));
  account.row(0).add(Count::kGetHits, 3);
  account.row(1).add(Count::kGetHits);
  EXPECT_EQ(account.counts()[size_t(Count::kGetHits)], 4u);
}

TEST(Accounts, ResetStartsFromZeroWithoutDisturbingWriters) {
  Accounts accounts(1);
  Account& account = accounts.open(1);
  account.row(0).add(Count::kCommandSet, 5);
  account.reset();
  EXPECT_EQ(account.counts()[size_t(Count::kCommandSet)], 0u);
  account.row(0).add(Count::kCommandSet, 2);
  EXPECT_EQ(account.counts()[size_t(Count::kCommandSet)], 2u);
}

TEST(Accounts, TotalsOutliveAReset) {
  Accounts accounts(1);
  Account& account = accounts.open(1);
  account.row(0).add(Count::kCommandSet, 5);
  account.reset();
  EXPECT_EQ(account.totals()[size_t(Count::kCommandSet)], 5u);
}

TEST(Accounts, AreFoundByRangeInOrder) {
  Accounts accounts(1);
  for (const base::CacheId id : {9u, 2u, 5u, UINT32_MAX}) accounts.open(id);
  const auto ids = [&](base::CacheId first, base::CacheId last) {
    std::vector<base::CacheId> found;
    for (const auto& [id, account] : accounts.between(first, last)) found.push_back(id);
    return found;
  };
  EXPECT_EQ(ids(0, UINT32_MAX), (std::vector<base::CacheId>{2, 5, 9, UINT32_MAX}));
  EXPECT_EQ(ids(3, 9), (std::vector<base::CacheId>{5, 9}));
  EXPECT_EQ(ids(10, 11), std::vector<base::CacheId>());
}

TEST(Accounts, AConnectionLimitIsExact) {
  Account account(1);
  EXPECT_TRUE(account.take_connection(2));
  EXPECT_TRUE(account.take_connection(2));
  EXPECT_FALSE(account.take_connection(2));
  account.return_connection();
  EXPECT_TRUE(account.take_connection(2));
  EXPECT_TRUE(account.take_connection(0));
  EXPECT_EQ(account.connections(), 3u);
}

TEST(Accounts, EveryCountHasAName) {
  for (size_t i = 0; i < kCountCount; ++i) EXPECT_FALSE(to_string(static_cast<Count>(i)).empty());
  EXPECT_EQ(to_string(Count::kGetMisses), "get_misses");
  EXPECT_EQ(to_string(Count::kTouchMisses), "touch_misses");
}

}  // namespace
}  // namespace proxy::tenant
