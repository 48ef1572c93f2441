#include "proxy/admin/cache_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/telemetry/exposition.h"

namespace proxy::admin {
namespace {

using tenant::Count;
using ::testing::HasSubstr;
using ::testing::Not;

// Caches 1, 2, … n, each with as many gets as its number.
struct Caches {
  tenant::Accounts accounts{1};
  std::shared_ptr<tenant::Directory> directory = std::make_shared<tenant::Directory>();

  explicit Caches(base::CacheId n) {
    for (base::CacheId id = 1; id <= n; ++id) {
      tenant::Cache cache;
      cache.id = id;
      directory->caches.put(id, cache);
      accounts.open(id).row(0).add(Count::kCommandGet, id);
    }
  }
  std::string page(const CacheChoice& choice) {
    CachePage page(accounts, directory, choice, 1);
    while (page.read_more(3)) continue;
    return base::telemetry::expose(page.families(), base::telemetry::ExpositionFormat::kText004);
  }
};

TEST(CacheChoice, ReadsTheQuery) {
  EXPECT_EQ(parse_cache_choice({})->limit, 500u);
  const auto range = parse_cache_choice({{"from", "10"}, {"to", "20"}, {"limit", "7"}});
  EXPECT_EQ(range->from, 10u);
  EXPECT_EQ(range->to, 20u);
  EXPECT_EQ(range->limit, 7u);
  const auto one = parse_cache_choice({{"cache", "42"}});
  EXPECT_EQ(one->from, 42u);
  EXPECT_EQ(one->to, 42u);
}

TEST(CacheChoice, SaysWhatIsWrong) {
  const auto error = [](const std::map<std::string, std::string>& query) {
    const auto choice = parse_cache_choice(query);
    return choice ? "" : choice.error().context;
  };
  EXPECT_EQ(error({{"limit", "0"}}), "limit: expected a number from 1 to 2000");
  EXPECT_EQ(error({{"limit", "2001"}}), "limit: expected a number from 1 to 2000");
  EXPECT_EQ(error({{"cache", "x"}}), "cache: expected a number from 0 to 4294967295");
  EXPECT_EQ(error({{"cache", "4294967296"}}), "cache: expected a number from 0 to 4294967295");
  EXPECT_EQ(error({{"from", "9"}, {"to", "8"}}), "to: expected a number from 9 to 4294967295");
  EXPECT_EQ(error({{"cache", "1"}, {"limit", "1"}}), "cache: expected without other parameters");
  EXPECT_EQ(error({{"top", "9"}}), "top: expected from, to, limit or cache");
}

TEST(CacheMetrics, ShowWhatEachCacheDoes) {
  Caches caches(2);
  const std::string page = caches.page({});
  EXPECT_THAT(page,
              HasSubstr("mcguard_proxy_cache_requests_total{cache=\"2\",operation=\"get\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("mcguard_proxy_caches_shown 2\n"));
  EXPECT_THAT(page, HasSubstr("mcguard_proxy_caches_left_out 0\n"));
}

TEST(CacheMetrics, LeaveOutTheHighestIdsAndSayHowMany) {
  Caches caches(10);
  CacheChoice choice;
  choice.from = 3;
  choice.to = 8;
  choice.limit = 4;
  const std::string page = caches.page(choice);
  for (const char* shown : {"\"3\"", "\"6\""}) EXPECT_THAT(page, HasSubstr(shown));
  for (const char* hidden : {"\"2\"", "\"7\"", "\"9\""}) EXPECT_THAT(page, Not(HasSubstr(hidden)));
  EXPECT_THAT(page, HasSubstr("mcguard_proxy_caches_shown 4\n"));
  EXPECT_THAT(page, HasSubstr("mcguard_proxy_caches_left_out 2\n"));
}

TEST(CacheMetrics, AreReadInPieces) {
  Caches caches(5);
  CachePage page(caches.accounts, caches.directory, {}, 1);
  EXPECT_TRUE(page.read_more(2));
  EXPECT_TRUE(page.read_more(2));
  EXPECT_FALSE(page.read_more(2));
  EXPECT_FALSE(page.read_more(2));
}

TEST(CacheMetrics, DoNotShowWhatWasDeleted) {
  Caches caches(2);
  caches.directory->caches.erase(1);
  EXPECT_THAT(caches.page({}), Not(HasSubstr("cache=\"1\"")));
}

TEST(CacheMetrics, CountersDoNotGoBackWhenAClientResetsItsStats) {
  Caches caches(1);
  caches.accounts.open(1).reset();
  EXPECT_THAT(caches.page({}),
              HasSubstr("mcguard_proxy_cache_requests_total{cache=\"1\",operation=\"get\"} 1\n"));
}

}  // namespace
}  // namespace proxy::admin
