#include "agent/coord/flushes.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/unit/agent/coord/bench.h"

namespace agent::coord {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

FlushRequest flush_of(base::CacheId cache) {
  FlushRequest request(cache, FlushOrigin::kMemcacheClient, "AB12CD", "flush_all");
  request.proxy = "amber-proxy-1";
  return request;
}

std::string log_of(const Bench& bench) {
  auto text = base::read_file(bench.dir.file("log/flush.log"));
  return text.ok() ? *text : "";
}

TEST(Flushes, AreDoneWhenEveryProxyHasAcknowledged) {
  Bench bench;
  bench.start_and_settle();
  auto generation = bench.run(bench.coordinator->flushes().flush(flush_of(1)));
  ASSERT_TRUE(generation.ok());
  EXPECT_EQ(*generation, 2u);
  for (const char* proxy : {"amber-proxy-1", "amber-proxy-2"}) {
    EXPECT_EQ(bench.proxies.at(proxy).generations[1], 2u);
    EXPECT_EQ(bench.proxies.at(proxy).status.flush_sequence, 1u);
    // Before the caller hears of it: the next thing it does may be a write.
    EXPECT_EQ(bench.proxies.at(proxy).status.completed_flush, 1u);
  }
  bench.timers.run_for(seconds(2));
  EXPECT_EQ(bench.backends.at("amber-backend-1").record->flush_sequence, 1u);
  EXPECT_NE(log_of(bench).find("host=amber-proxy-1/127.0.1.1 origin=\"memcache client\" "
                               "by=\"AB12CD\" reason=\"flush_all\""),
            std::string::npos);
  EXPECT_EQ(bench.coordinator->flushes().pending(), 0u);
}

TEST(Flushes, CompleteWithinTwoSecondsWhenASilentProxyCanBeFenced) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  const base::Instant began = bench.clock.now();
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  EXPECT_GE(bench.clock.now() - began, milliseconds(500));
  EXPECT_LT(bench.clock.now() - began, seconds(2));
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.completed_flush, 1u);
}

TEST(Flushes, LetNoProxyWriteWhileASilentOneIsNotFenced) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.backends.at("amber-backend-2").silent = true;
  EXPECT_FALSE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.flush_sequence, 1u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.completed_flush, 0u);
  bench.restart();  // what is pending in the store is not complete, whoever the agent is
  bench.timers.run_for(seconds(3));
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.completed_flush, 0u);
  bench.backends.at("amber-backend-2").silent = false;
  bench.timers.run_for(seconds(3));
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.completed_flush, 1u);
  bench.proxies.at("amber-proxy-2").silent = false;
  bench.timers.run_for(seconds(3));
  EXPECT_EQ(bench.proxies.at("amber-proxy-2").status.completed_flush, 1u);
}

TEST(Flushes, AreNumberedOnWhenTheStoreWasLost) {
  Bench bench;
  bench.start_and_settle();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  }
  bench.stop();
  const auto keys = bench.store.entries();
  for (const auto& [key, entry] : keys) bench.store.erase(key);
  bench.restart();
  bench.timers.run_for(seconds(5));
  // No generation of before may come again, or what was stored under it could be read.
  const base::Generation recovered = bench.coordinator->tenants().cache(1)->generation;
  EXPECT_GT(recovered, 4u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").generations[1], recovered);
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").generations[1], recovered + 1);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.flush_sequence, 5u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.completed_flush, 5u);
}

TEST(Flushes, StayPendingAcrossARestartUntilTheLastBackendIsFenced) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.backends.at("amber-backend-2").silent = true;
  auto flushed = bench.run(bench.coordinator->flushes().flush(flush_of(1)));
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(flushed.code(), base::ErrorCode::kTimeout);
  EXPECT_NE(flushed.error().context.find("flush pending"), std::string::npos);
  bench.restart();
  bench.timers.run_for(seconds(3));
  EXPECT_EQ(bench.coordinator->flushes().pending(), 1u);
  bench.backends.at("amber-backend-2").silent = false;
  bench.timers.run_for(seconds(3));
  EXPECT_EQ(bench.coordinator->flushes().pending(), 0u);
  EXPECT_FALSE(bench.store.value("/flushes/amber/000000000001").has_value());
}

TEST(Flushes, AreRefusedWhenTheyCannotReachTheStore) {
  Bench bench;
  bench.start_and_settle();
  bench.store.script({test::FakeStore::Fault::kBeforeCommit});
  auto flushed = bench.run(bench.coordinator->flushes().flush(flush_of(1)));
  EXPECT_FALSE(flushed.ok());
  EXPECT_NE(flushed.code(), base::ErrorCode::kTimeout);
  EXPECT_EQ(bench.coordinator->tenants().cache(1)->generation, 1u);
  EXPECT_EQ(log_of(bench), "");
}

TEST(Flushes, WaitInADurableTimerWhenDelayed) {
  Bench bench;
  bench.start_and_settle();
  FlushRequest request = flush_of(1);
  request.delay_seconds = 30;
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(std::move(request))).ok());
  bench.timers.run_for(seconds(10));
  bench.restart();
  bench.timers.run_for(seconds(5));
  EXPECT_EQ(bench.coordinator->tenants().cache(1)->generation, 1u);
  bench.timers.run_for(seconds(20));
  EXPECT_EQ(bench.coordinator->tenants().cache(1)->generation, 2u);
  bench.timers.run_for(seconds(30));
  EXPECT_EQ(bench.coordinator->tenants().cache(1)->generation, 2u);
}

FlushRequest delayed_flush(const Bench& bench, int64_t asked_seconds_ago, uint32_t delay_seconds) {
  FlushRequest request = flush_of(1);
  request.delay_seconds = delay_seconds;
  request.asked = bench.clock.wall() + seconds(-asked_seconds_ago);
  return request;
}

base::Generation generation_after(Bench& bench, base::Duration time) {
  bench.timers.run_for(time);
  return bench.coordinator->tenants().cache(1)->generation;
}

// A proxy repeats what it has promised to a client until an agent has it.
TEST(Flushes, AreDueWhenTheClientWasToldHoweverLateTheyAreHeardOf) {
  Bench bench;
  bench.start_and_settle();
  Flushes& flushes = bench.coordinator->flushes();
  ASSERT_TRUE(bench.run(flushes.flush(delayed_flush(bench, 20, 30))).ok());
  EXPECT_EQ(generation_after(bench, seconds(8)), 1u);
  EXPECT_EQ(generation_after(bench, seconds(4)), 2u);
}

TEST(Flushes, ThatWereAskedForEarlierDoNotReplaceALaterOne) {
  Bench bench;
  bench.start_and_settle();
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(delayed_flush(bench, 5, 60))).ok());
  bench.restart();
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(delayed_flush(bench, 20, 30))).ok());
  EXPECT_EQ(generation_after(bench, seconds(40)), 1u);
  EXPECT_EQ(generation_after(bench, seconds(20)), 2u);
}

TEST(Flushes, ReplaceOneThatWasAskedForBeforeTheClockWasSetBack) {
  Bench bench;
  bench.start_and_settle();
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(delayed_flush(bench, 0, 600))).ok());
  boost::json::object timer = boost::json::parse(*bench.store.value("/timers/flush/1")).as_object();
  timer["asked_ns"] = (bench.clock.wall() + seconds(300)).ns;
  bench.store.set("/timers/flush/1", boost::json::serialize(timer));
  bench.restart();
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(delayed_flush(bench, 0, 30))).ok());
  EXPECT_EQ(generation_after(bench, seconds(32)), 2u);
}

TEST(Flushes, AreNeverDueLaterThanTheirDelayFromNow) {
  Bench bench;
  bench.start_and_settle();
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(delayed_flush(bench, -3600, 30))).ok());
  EXPECT_EQ(generation_after(bench, seconds(32)), 2u) << "a clock that was set back";
}

TEST(Flushes, OfAClusterFlushAllItsCaches) {
  Bench bench;
  bench.start_and_settle();
  FlushRequest request(0, FlushOrigin::kAdminOperation, "operator", "test");
  request.cluster = "amber";
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(std::move(request))).ok());
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").generations[1], 2u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").generations[2], 2u);
  EXPECT_EQ(bench.proxies.at("birch-proxy-1").generations[3], 1u);
}

TEST(Flushes, ReachAProxyInOrderThatMissedSome) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  bench.proxies.at("amber-proxy-2").silent = false;
  bench.timers.run_for(seconds(2));
  EXPECT_EQ(bench.proxies.at("amber-proxy-2").generations[1], 3u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-2").status.flush_sequence, 2u);
}

TEST(Flushes, AreNotAcknowledgedByProxiesThatKnowMoreThanAnOlderStore) {
  Bench bench;
  bench.start_and_settle();
  const auto copy = bench.store.entries();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  }
  ASSERT_EQ(bench.proxies.at("amber-proxy-1").generations[1], 4u);
  bench.stop();
  const auto now = bench.store.entries();
  for (const auto& [key, entry] : now) bench.store.erase(key);
  for (const auto& [key, entry] : copy) bench.store.set(key, entry.value);
  bench.restart();
  auto flushed = bench.run(bench.coordinator->flushes().flush(flush_of(1)));
  bench.timers.run_for(seconds(5));
  const base::Generation present = bench.coordinator->tenants().cache(1)->generation;
  EXPECT_GT(present, 4u);
  for (const char* proxy : {"amber-proxy-1", "amber-proxy-2"}) {
    EXPECT_EQ(bench.proxies.at(proxy).generations[1], present);
    EXPECT_GE(bench.proxies.at(proxy).status.completed_flush, 4u);
  }
  EXPECT_EQ(bench.coordinator->flushes().pending(), 0u);
}

TEST(Flushes, CostWhatOneDoesHoweverManyArePendingAndAreRefusedBeyondANumber) {
  Bench bench;
  bench.start_and_settle();
  bench.proxies.at("amber-proxy-2").silent = true;
  bench.backends.at("amber-backend-2").silent = true;
  std::vector<std::optional<base::Result<base::Generation>>> answers(1100);
  for (auto& answer : answers) {
    bench.begin(bench.coordinator->flushes().flush(flush_of(1)), answer);
    bench.timers.run_ready();
  }
  bench.timers.run_for(seconds(3));
  size_t refused = 0;
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer.has_value() && !answer->ok());
    refused += answer->code() == base::ErrorCode::kExhausted ? 1 : 0;
  }
  EXPECT_GT(refused, 0u);
  EXPECT_LE(bench.coordinator->flushes().pending(), 1024u);
  bench.backends.at("amber-backend-2").silent = false;
  bench.timers.run_for(seconds(3));
  EXPECT_EQ(bench.coordinator->flushes().pending(), 0u);
}

TEST(Flushes, WhoseWriteTookPlaceUnnoticedAreCompletedAllTheSame) {
  Bench bench;
  bench.start_and_settle();
  bench.store.script({test::FakeStore::Fault::kAfterCommit});
  bench.store.lose_reads(1);
  EXPECT_FALSE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  EXPECT_FALSE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok())
      << "read again first";
  bench.timers.run_for(seconds(3));
  EXPECT_EQ(bench.coordinator->tenants().cache(1)->generation, 2u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").generations[1], 2u);
  EXPECT_EQ(bench.proxies.at("amber-proxy-1").status.completed_flush, 1u);
  ASSERT_TRUE(bench.run(bench.coordinator->flushes().flush(flush_of(1))).ok());
  EXPECT_EQ(bench.proxies.at("amber-proxy-2").generations[1], 3u);
}

}  // namespace
}  // namespace agent::coord
