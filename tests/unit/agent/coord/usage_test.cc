#include "agent/coord/usage.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace agent::coord {
namespace {

ProxyUsage usage(uint64_t every, std::vector<std::pair<uint64_t, uint64_t>> items,
                 uint64_t generation = 1) {
  ProxyUsage made;
  made.generation = generation;
  made.connections = 2;
  made.evictions = 64;
  made.every = every;
  made.items = std::move(items);
  return made;
}

TEST(CacheUsage, CountsOnceWhatSeveralProxiesKnowOf) {
  const CacheUsage all =
      put_together({usage(64, {{64, 100}, {128, 200}}), usage(64, {{128, 250}, {192, 300}})});
  EXPECT_EQ(all.items, 3 * 64u);
  EXPECT_EQ(all.bytes, (100 + 250 + 300) * 64u);
  EXPECT_EQ(all.connections, 4u);
  EXPECT_EQ(all.evictions, 128u);
  EXPECT_EQ(all.proxies, 2u);
}

TEST(CacheUsage, GoesByTheThinnestSample) {
  const CacheUsage all =
      put_together({usage(64, {{64, 1}, {128, 1}, {256, 1}}), usage(128, {{128, 1}, {512, 1}})});
  EXPECT_EQ(all.items, 3 * 128u) << "128, 256 and 512; 64 would not be followed there";
}

TEST(CacheUsage, LeavesOutWhatWasFlushed) {
  const CacheUsage all =
      put_together({usage(64, {{64, 1}}, 2), usage(128, {{128, 1}, {256, 1}}, 1)});
  EXPECT_EQ(all.items, 64u);
}

TEST(CacheUsage, IsUncertainAboutNothing) {
  EXPECT_EQ(put_together({}).proxies, 0u);
  EXPECT_EQ(put_together({}).error, 1);
  std::vector<std::pair<uint64_t, uint64_t>> many;
  for (uint64_t i = 0; i < 1600; ++i) many.emplace_back(64 * i, 1);
  EXPECT_DOUBLE_EQ(put_together({usage(64, many)}).error, 0.05);
}

TEST(ProxyUsage, IsReadFromItsAnswer) {
  const auto read = parse_proxy_usage(
      boost::json::parse(R"({"generation":3,"connections":1,"evictions":2,"expired":4,"every":64,)"
                         R"("items":[18446744073709551552,7]})"));
  ASSERT_TRUE(read.ok()) << read.error().context;
  EXPECT_EQ(read->items.at(0).first, 18446744073709551552u);
  EXPECT_EQ(read->items.at(0).second, 7u);
  for (
      const char* wrong :
      {"7", "{}",
       R"({"generation":3,"connections":1,"evictions":2,"expired":4,"every":0,"items":[]})",
       R"({"generation":3,"connections":1,"evictions":2,"expired":4,"every":64,"items":[1]})",
       R"({"generation":3,"connections":1,"evictions":2,"expired":4,"every":64,"items":["a",1]})",
       R"({"generation":3,"connections":1,"evictions":2,"expired":4,"every":64,"items":[-1,1]})"}) {
    EXPECT_FALSE(parse_proxy_usage(boost::json::parse(wrong)).ok()) << wrong;
  }
}

}  // namespace
}  // namespace agent::coord
