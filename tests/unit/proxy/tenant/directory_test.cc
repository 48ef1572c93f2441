#include "proxy/tenant/directory.h"

#include <gtest/gtest.h>

namespace proxy::tenant {
namespace {

Cache cache(base::CacheId id, base::Generation generation) {
  Cache c;
  c.id = id;
  c.generation = generation;
  return c;
}

TEST(ShardedMap, ACopyDoesNotSeeLaterChanges) {
  ShardedMap<int, std::string> first;
  for (int i = 0; i < 1000; ++i) first.put(i, "old");
  ShardedMap<int, std::string> second(first);
  second.put(7, "new");
  second.erase(8);
  EXPECT_EQ(*first.find(7), "old");
  EXPECT_NE(first.find(8), nullptr);
  EXPECT_EQ(*second.find(7), "new");
  EXPECT_EQ(second.find(8), nullptr);
  EXPECT_EQ(first.size(), 1000u);
  EXPECT_EQ(second.size(), 999u);
  second.erase(8);
  EXPECT_EQ(second.size(), 999u);
}

TEST(Directory, AnUpsertNeverLowersAGeneration) {
  Directory directory;
  directory.put_cache(cache(1, 5));
  directory.put_cache(cache(1, 3));
  EXPECT_EQ(directory.caches.find(1)->generation, 5u);
}

TEST(Directory, FlushRaisesTheGenerationOnce) {
  Directory directory;
  directory.put_cache(cache(1, 1));
  EXPECT_EQ(directory.flush(1, 2, 1), FlushDecision::kFlushed);
  EXPECT_EQ(directory.flush(1, 2, 1), FlushDecision::kAlreadyFlushed);
  EXPECT_EQ(directory.flush(9, 2, 2), FlushDecision::kUnknownCache);
  EXPECT_EQ(directory.caches.find(1)->generation, 2u);
  EXPECT_EQ(directory.flush_sequence(), 2u);
}

TEST(Directory, AFlushThatOvertookAnotherCountsOnlyWhenTheGapIsClosed) {
  Directory directory;
  directory.put_cache(cache(1, 1));
  directory.flush(1, 4, 3);
  EXPECT_EQ(directory.caches.find(1)->generation, 4u);
  EXPECT_EQ(directory.flush_sequence(), 0u);
  directory.flush(1, 2, 1);
  EXPECT_EQ(directory.flush_sequence(), 1u);
  directory.flush(1, 3, 2);
  EXPECT_EQ(directory.flush_sequence(), 3u);
  EXPECT_EQ(directory.caches.find(1)->generation, 4u);
}

TEST(Directory, TakesNoWritesOfAFlushedCacheUntilTheFlushIsComplete) {
  Directory directory;
  directory.put_cache(cache(1, 1));
  directory.put_cache(cache(2, 1));
  directory.flush(1, 2, 1);
  EXPECT_TRUE(directory.is_flushing(*directory.caches.find(1)));
  EXPECT_FALSE(directory.is_flushing(*directory.caches.find(2)));
  directory.flush(1, 3, 2);
  directory.complete_flushes(1);
  EXPECT_TRUE(directory.is_flushing(*directory.caches.find(1)));
  directory.complete_flushes(2);
  directory.complete_flushes(1);
  EXPECT_FALSE(directory.is_flushing(*directory.caches.find(1)));
  EXPECT_EQ(directory.completed_flush(), 2u);
}

TEST(Directory, AnUpsertThatOvertakesItsFlushForbidsWritesToo) {
  Directory directory;
  directory.put_cache(cache(1, 1));
  Cache flushed = cache(1, 2);
  flushed.flushed_at = 1;
  directory.put_cache(flushed);
  directory.put_cache(cache(1, 1));
  EXPECT_TRUE(directory.is_flushing(*directory.caches.find(1)));
}

TEST(Directory, AConfigurationClosesGaps) {
  Directory directory;
  directory.flush(1, 2, 5);
  directory.flushed_up_to(4);
  EXPECT_EQ(directory.flush_sequence(), 5u);
  directory.flushed_up_to(2);
  EXPECT_EQ(directory.flush_sequence(), 5u);
}

}  // namespace
}  // namespace proxy::tenant
