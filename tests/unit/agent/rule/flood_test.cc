#include "agent/rule/flood.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/rule/world.h"

namespace agent::rule {
namespace {

using namespace std::chrono_literals;
using incident::Type;
using test::World;

constexpr const char* kFlooder = "192.0.2.7";

// Three proxies; ten clients at each send 300 requests a second.
class Flood : public ::testing::Test {
 protected:
  Flood() : world_(options()) { world_.run_for(3min); }

  static test::WorldOptions options() {
    test::WorldOptions wanted;
    wanted.seed = 7;
    wanted.proxies = 3;
    wanted.backends = 3;
    wanted.rate = 100;
    return wanted;
  }
  World::Proxy& proxy(size_t index = 0) { return world_.cluster("amber").proxies[index]; }
  void flood() {
    proxy().commands[kFlooder] = 118'000;
    proxy().ran = 0.99;
    proxy().waited = 0.0;
  }
  // Nine of ten requests of its new proxy are its own, which had never heard of it.
  void one_moves() {
    proxy(1).commands["10.0.5.5"] = 27'000;
    world_.run_for(10min);
    world_.kill(proxy(1));
    proxy().commands["10.0.5.5"] = 27'000;
    proxy().ran = 0.99;
  }
  bool tells(const std::string& text) const {
    return world_.story().find(text) != std::string::npos;
  }

  // Whether the rule says so, whatever else explains it.
  bool says_flood() const {
    return std::any_of(world_.verdicts.begin(), world_.verdicts.end(), [](const auto& verdict) {
      return verdict.type == Type::kClientFlood && verdict.active;
    });
  }

  World world_;
};

TEST_F(Flood, OneClientThatKeepsAProxyBusyIsNamedWithFigures) {
  flood();
  world_.run_for(10s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->type, Type::kClientFlood);
  EXPECT_EQ(world_.only_incident()->scope.proxy, "amber-proxy-1");
  EXPECT_EQ(world_.only_incident()->scope.client, kFlooder);
  EXPECT_EQ(world_.only_incident()->title, "Flood by client 192.0.2.7 on proxy amber-proxy-1");
  EXPECT_TRUE(tells("Client 192.0.2.7 sends ")) << world_.story();
  EXPECT_TRUE(tells("busiest worker ran 99.0 % of the time")) << world_.story();
  proxy().commands.erase(kFlooder);
  proxy().ran = 0.2;
  EXPECT_TRUE(world_.run_until([&] { return world_.book.unresolved().empty(); }, 60s));
  EXPECT_EQ(world_.incident_count(), 1U) << world_.story();
}

TEST_F(Flood, IsTheCauseOfTheSlowProxyThatWasSeenFirst) {
  flood();
  world_.cluster("amber").slow_on = [](size_t p, size_t) { return p == 0 ? 0.3 : 0; };
  world_.run_for(30s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->type, Type::kClientFlood) << world_.story();
  EXPECT_EQ(world_.only_incident()->scope.client, kFlooder);
  EXPECT_FALSE(tells("Slow network")) << world_.story();
  world_.cluster("amber").slow_on = nullptr;
  proxy().commands.erase(kFlooder);
  proxy().ran = 0.2;
  EXPECT_TRUE(world_.run_until([&] { return world_.book.unresolved().empty(); }, 90s));
  EXPECT_EQ(world_.incident_count(), 1U) << world_.story();
}

TEST_F(Flood, AHandfulIsTheProxys) {
  proxy().commands[kFlooder] = 30'000;
  proxy().commands["192.0.2.8"] = 30'000;
  proxy().ran = 0.99;
  world_.run_for(10s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->type, Type::kClientFlood);
  EXPECT_EQ(world_.only_incident()->scope.client, "");
  EXPECT_EQ(world_.only_incident()->title, "Flood by a few clients on proxy amber-proxy-1");
}

TEST_F(Flood, RefusalsAtALimitAreHarmToo) {
  proxy().commands[kFlooder] = 50'000;
  proxy().ran = 0.7;
  proxy().refused = 45'000;
  world_.run_for(10s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->type, Type::kClientFlood);
  EXPECT_TRUE(tells("turns 45000 a second away at its limits")) << world_.story();
}

// A client that tries again at once sends what the backend refuses.
TEST_F(Flood, WhatASlowBackendTurnsAwayIsNone) {
  proxy().commands["10.0.0.1"] = 12'000;
  proxy().unqueued = 12'000;
  proxy().ran = 0.7;
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, WhatBackendsTurnAwayThoughTheyTakeMoreThanEverIsHarm) {
  proxy().commands[kFlooder] = 50'000;
  proxy().unqueued = 30'000;
  proxy().ran = 0.7;
  world_.run_for(10s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->scope.client, kFlooder);
  EXPECT_TRUE(tells("turns 30000 a second away at its limits")) << world_.story();
}

TEST_F(Flood, WhatHarmsNobodyIsNone) {
  proxy().commands[kFlooder] = 118'000;
  proxy().ran = 0.8;
  world_.run_for(2min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, ABusyProxyWithTheUsualLoadIsNone) {
  proxy().ran = 0.99;
  world_.run_for(2min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, ALoadThatGrowsForEverybodyIsNone) {
  for (auto& [client, commands] : proxy().commands) commands *= 4;
  proxy().ran = 0.99;
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, ADeploymentThatReplacesAllClientsIsNone) {
  proxy().commands.clear();
  for (int i = 1; i <= 10; ++i) proxy().commands["10.7.0." + std::to_string(i)] = 900;
  proxy().ran = 0.99;
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, OneAddressForAllClientsIsNotToBlame) {
  proxy(1).commands = {{"10.0.0.254", 3000}};
  world_.run_for(20min);
  proxy(1).commands["10.0.0.254"] = 30'000;
  proxy(1).ran = 0.99;
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, AProxyThatWaitsForACoreSuffersFromItsMachine) {
  proxy().commands[kFlooder] = 9000;
  proxy().ran = 0.1;
  proxy().waited = 0.88;
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

// New, it sends a little more each second, and from the second minute on its mean is no small part of it.
TEST_F(Flood, OneThatBeginsSlowlyIsNamedToo) {
  world_.run_for(10min);
  for (int second = 1; second <= 300; ++second) {
    proxy().commands[kFlooder] = 400.0 * second;
    proxy().ran = std::min(0.99, 0.2 + 0.003 * second);
    world_.run_for(1s);
  }
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->scope.client, kFlooder);
  EXPECT_TRUE(tells(" of 3")) << world_.story();
}

// Two that came in the place of all others and sent as much for most of the time that is remembered.
TEST_F(Flood, NewClientsThatSendWhatTheirPredecessorsDidBecomeUsual) {
  world_.run_for(30min);
  proxy().commands = {{"10.7.0.1", 1500}, {"10.7.0.2", 1500}};
  world_.run_for(20min);
  for (auto& [client, commands] : proxy().commands) commands *= 2;
  proxy().ran = 0.99;
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, AnotherWorkerThatWaitsForACoreIsNoHarmOfIt) {
  proxy().commands[kFlooder] = 9000;
  proxy().ran = 0.6;
  proxy().other_waited = 1;
  world_.run_for(1min);
  EXPECT_FALSE(tells("Flood")) << world_.story();
}

TEST_F(Flood, ABurstOfASecondIsNone) {
  flood();
  world_.run_for(1500ms);
  proxy().commands.erase(kFlooder);
  proxy().ran = 0.2;
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, AnotherClientThatGoesOnWithItIsNamedInstead) {
  flood();
  world_.run_for(10s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  ASSERT_EQ(world_.only_incident()->scope.client, kFlooder);
  proxy().commands.erase(kFlooder);
  proxy().commands["192.0.2.99"] = 100'000;
  bool withdrawn = false;
  for (int i = 0; i < 50; ++i) {
    world_.run_for(100ms);
    for (const auto& verdict : world_.verdicts) {
      withdrawn = withdrawn || (!verdict.active && verdict.scope.client == kFlooder);
    }
  }
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->scope.client, "192.0.2.99") << world_.story();
  EXPECT_EQ(world_.only_incident()->title, "Flood by client 192.0.2.99 on proxy amber-proxy-1");
  EXPECT_TRUE(tells("Client 192.0.2.99 sends ")) << world_.story();
  EXPECT_TRUE(withdrawn);
}

TEST_F(Flood, ABurstOfAnotherDoesNotChangeWhoIsNamed) {
  flood();
  world_.run_for(10s);
  proxy().commands["192.0.2.99"] = 900'000;
  world_.run_for(1100ms);
  proxy().commands.erase("192.0.2.99");
  world_.run_for(20s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->scope.client, kFlooder) << world_.story();
}

TEST_F(Flood, IsOverWhenItsClientStopsThoughTheProxyIsAsBusyWithAll) {
  flood();
  world_.run_for(10s);
  ASSERT_EQ(world_.book.unresolved().size(), 1U);
  proxy().commands.erase(kFlooder);
  for (auto& [client, commands] : proxy().commands) commands *= 4;
  EXPECT_TRUE(world_.run_until([&] { return world_.book.unresolved().empty(); }, 60s))
      << world_.story();
  world_.run_for(1min);
  EXPECT_EQ(world_.incident_count(), 1U) << world_.story();
}

TEST_F(Flood, AClientThatMovesFromAProxyThatEndedIsNone) {
  one_moves();
  EXPECT_FALSE(world_.run_until([&] { return says_flood(); }, 2min));
}

// By then what it sent at the other one is forgotten.
TEST_F(Flood, AClientThatMovedAndStaysIsUsualThereInTheEnd) {
  one_moves();
  EXPECT_FALSE(world_.run_until([&] { return says_flood(); }, 75min));
}

TEST_F(Flood, AClientThatMovesFromAProxyThatLeftForGoodIsNone) {
  one_moves();
  world_.detector.forget({"amber", "amber-proxy-2", "", ""});
  EXPECT_FALSE(world_.run_until([&] { return says_flood(); }, 2min));
}

TEST_F(Flood, AClientThatABalancerMovesIsNone) {
  proxy(1).commands["10.0.5.5"] = 27'000;
  world_.run_for(10min);
  proxy(1).commands.erase("10.0.5.5");
  proxy().commands["10.0.5.5"] = 27'000;
  proxy().ran = 0.99;
  world_.run_for(2min);
  EXPECT_EQ(world_.incident_count(), 0U) << world_.story();
}

TEST_F(Flood, AClientThatMovesAndSendsFarMoreThanAnywhereBeforeIsOne) {
  proxy(1).commands["10.0.5.5"] = 2000;
  world_.run_for(10min);
  proxy(1).commands.erase("10.0.5.5");
  proxy().commands["10.0.5.5"] = 60'000;
  proxy().ran = 0.99;
  world_.run_for(10s);
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->scope.client, "10.0.5.5");
}

TEST_F(Flood, OneThatSendsEverywhereAndFloodsOneProxyIsNamedOnceTheOthersHaveTold) {
  for (size_t i = 0; i < 3; ++i) proxy(i).commands["10.0.0.1"] = 1500;
  world_.run_for(10min);
  proxy().commands["10.0.0.1"] = 7000;
  proxy().ran = 0.99;
  EXPECT_TRUE(world_.run_until([&] { return says_flood(); }, 14s));
  ASSERT_NE(world_.only_incident(), nullptr) << world_.story();
  EXPECT_EQ(world_.only_incident()->scope.client, "10.0.0.1");
}

TEST_F(Flood, WhatIsUsualOverTheClusterIsKeptOverARestart) {
  proxy(1).commands["10.0.5.5"] = 27'000;
  world_.run_for(10min);
  World later(options());
  ASSERT_TRUE(later.detector.restore(world_.detector.save(), later.now()).ok());
  later.run_for(20s);
  auto& taker = later.cluster("amber").proxies[0];
  taker.commands["10.0.5.5"] = 27'000;
  taker.ran = 0.99;
  later.run_for(1min);
  EXPECT_EQ(later.incident_count(), 0U) << later.story();
}

// Its proxy tells of its clients each ten seconds.
TEST_F(Flood, ABurstOfASecondIsNoneAtASlowProxyThatIsHardlyBusy) {
  world_.cluster("amber").slow_on = [](size_t p, size_t) { return p == 0 ? 0.3 : 0; };
  EXPECT_FALSE(world_.run_until([&] { return says_flood(); }, 9500ms));
  proxy().commands[kFlooder] = 60'000;
  EXPECT_FALSE(world_.run_until([&] { return says_flood(); }, 1s));
  proxy().commands.erase(kFlooder);
  EXPECT_FALSE(world_.run_until([&] { return says_flood(); }, 15s));
  proxy().commands[kFlooder] = 60'000;
  EXPECT_TRUE(world_.run_until([&] { return says_flood(); }, 21s));
}

TEST_F(Flood, WhatIsUsualIsKeptOverARestart) {
  World later(options());
  ASSERT_TRUE(later.detector.restore(world_.detector.save(), later.now()).ok());
  later.run_for(20s);
  auto& flooded = later.cluster("amber").proxies[0];
  flooded.commands[kFlooder] = 118'000;
  flooded.ran = 0.99;
  later.run_for(10s);
  ASSERT_NE(later.only_incident(), nullptr) << later.story();
  EXPECT_EQ(later.only_incident()->type, Type::kClientFlood);
}

TEST_F(Flood, AProxyThatLeftForGoodEndsIt) {
  flood();
  world_.run_for(10s);
  ASSERT_EQ(world_.book.unresolved().size(), 1U);
  proxy().stopped = true;
  world_.detector.forget({"amber", "amber-proxy-1", "", ""});
  const auto verdicts = world_.detector.evaluate(world_.now());
  EXPECT_TRUE(std::any_of(verdicts.begin(), verdicts.end(), [](const auto& verdict) {
    return verdict.type == Type::kClientFlood && !verdict.active;
  }));
}

}  // namespace
}  // namespace agent::rule
