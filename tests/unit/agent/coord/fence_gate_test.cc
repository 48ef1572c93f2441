#include "agent/coord/fence_gate.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/coord/bench.h"

namespace agent::coord {
namespace {

// A gate over a store in memory; load() is what the next agent begins with.
struct GateBench {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  test::FakeStore store;
  std::unique_ptr<FenceGate> gate;

  GateBench() { CHECK(load().ok()); }
  base::Result<> load() {
    gate = std::make_unique<FenceGate>(io.get_executor(), store);
    return run(gate->load());
  }
  base::Result<> admit(uint64_t fence) { return run(gate->admit("cluster/amber", fence)); }
  bool refuses(uint64_t fence) {
    const base::Result<> admitted = admit(fence);
    return !admitted.ok() && admitted.code() == base::ErrorCode::kRefused;
  }
  uint64_t highest() const { return gate->highest("cluster/amber"); }
  base::Result<> run(boost::asio::awaitable<base::Result<>> work) {
    std::optional<base::Result<>> result;
    boost::asio::co_spawn(io, std::move(work),
                          [&](std::exception_ptr failed, base::Result<> value) {
                            CHECK(!failed);
                            result = std::move(value);
                          });
    timers.run_ready();
    CHECK(result.has_value());
    return std::move(*result);
  }
};

TEST(FenceGate, KeepsTheHighestFenceOfEachLock) {
  GateBench bench;
  EXPECT_TRUE(bench.admit(7).ok());
  EXPECT_TRUE(bench.refuses(6));
  EXPECT_TRUE(bench.admit(7).ok());
  EXPECT_TRUE(bench.admit(0).ok()) << "an act under no lock";
  EXPECT_EQ(bench.highest(), 7u);
  EXPECT_EQ(bench.gate->highest("cluster/birch"), 0u);
}

TEST(FenceGate, LiftsTheRunsOfANewStoreAboveWhatAProxyHasSeen) {
  GateBench bench;
  bench.gate->raise_floor("cluster/amber", 900);
  EXPECT_EQ(bench.highest(), 900u) << "proxies refuse what is lower";
  EXPECT_TRUE(bench.admit(5).ok());
  EXPECT_EQ(bench.highest(), 905u);
  EXPECT_TRUE(bench.refuses(4));
  EXPECT_EQ(bench.gate->highest("cluster/birch"), 0u);
}

TEST(FenceGate, KeepsTheOffsetThroughARestart) {
  GateBench bench;
  bench.gate->raise_floor("cluster/amber", 900);
  ASSERT_TRUE(bench.admit(5).ok());
  ASSERT_TRUE(bench.load().ok());
  EXPECT_EQ(bench.highest(), 905u);
  EXPECT_TRUE(bench.refuses(4));
  EXPECT_TRUE(bench.admit(6).ok());
  EXPECT_EQ(bench.highest(), 906u);
}

TEST(FenceGate, KeepsTheOrderOfRunsWhenAProxyIsFoundAheadOfThem) {
  GateBench bench;
  ASSERT_TRUE(bench.admit(7).ok());
  bench.gate->raise_floor("cluster/amber", 900);
  EXPECT_GE(bench.highest(), 900u);
  EXPECT_TRUE(bench.refuses(6)) << "its lock had passed on to 7";
  EXPECT_TRUE(bench.admit(7).ok());
  EXPECT_GT(bench.highest(), 900u);
  ASSERT_TRUE(bench.load().ok());
  EXPECT_GT(bench.highest(), 900u) << "what was admitted is durable, also when nothing had to grow";
  EXPECT_TRUE(bench.refuses(6));
}

TEST(FenceGate, IsNotLoweredByAProxyThatIsBehind) {
  GateBench bench;
  ASSERT_TRUE(bench.admit(7).ok());
  bench.gate->raise_floor("cluster/amber", 7);
  bench.gate->raise_floor("cluster/amber", 3);
  EXPECT_EQ(bench.highest(), 7u);
  EXPECT_TRUE(bench.admit(8).ok());
  EXPECT_EQ(bench.highest(), 8u);
}

TEST(FenceGate, AdmitsNothingThatItCannotMakeDurable) {
  GateBench bench;
  bench.gate->raise_floor("cluster/amber", 900);
  bench.store.script({test::FakeStore::Fault::kBeforeCommit});
  EXPECT_FALSE(bench.admit(5).ok());
  EXPECT_EQ(bench.highest(), 900u);
  EXPECT_TRUE(bench.admit(5).ok());
}

TEST(FenceGate, RefusesToLoadADamagedNumber) {
  for (const char* key : {"/fences/cluster/amber", "/fence-offsets/cluster/amber"}) {
    GateBench bench;
    bench.store.set(key, "x");
    const auto loaded = bench.load();
    ASSERT_FALSE(loaded.ok());
    EXPECT_NE(loaded.error().context.find(key), std::string::npos);
  }
}

// The whole way: the proxies remember fences of a store that is gone.
TEST(FenceGate, LetsRunsActAtOnceAfterTheStoreWasLost) {
  Bench bench;
  bench.proxies.at("amber-proxy-1").status.fence = 1'000'000;
  bench.start_and_settle();
  EXPECT_TRUE(bench.run(bench.coordinator->gate().admit("cluster/amber", 3)).ok());
  EXPECT_GT(bench.coordinator->gate().highest("cluster/amber"), 1'000'000u);
  ASSERT_TRUE(bench.run(bench.coordinator->tables().change(bench.weigh(0))).ok());
  EXPECT_GT(bench.proxies.at("amber-proxy-1").status.fence, 1'000'000u)
      << "it took what it was told";
}

}  // namespace
}  // namespace agent::coord
