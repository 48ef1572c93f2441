#include "agent/rule/busy.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/rule/world.h"

namespace agent::rule {
namespace {

using namespace std::chrono_literals;
using incident::Type;
using test::World;

constexpr base::Instant kMorning{1'000'000'000'000};
constexpr int64_t kFirst = kMorning.ns / ProxyBusy::kBin.count();
constexpr Exhaustion kExhaustion{0.95, 0.3};

TEST(ProxyBusy, SpreadsWhatItIsToldOverTheTimeThatItIsAbout) {
  ProxyBusy busy;
  busy.told(kMorning, 0, 0);
  busy.told(kMorning + 500ms, 0.6, 0.9);
  for (const int64_t bin : {kFirst, kFirst + 1}) {
    EXPECT_NEAR(busy.within(bin).ran, 0.6, 1e-4);
    EXPECT_NEAR(busy.within(bin).waited, 0.3, 1e-4);
    EXPECT_NEAR(busy.within(bin).seconds, 0.25, 1e-4);
  }
  EXPECT_EQ(busy.within(kFirst + 2).seconds, 0);
}

TEST(ProxyBusy, KnowsNothingOfTheTimeBeforeALongGap) {
  ProxyBusy busy;
  busy.told(kMorning, 1, 1);
  busy.told(kMorning + 10s, 1, 1);
  EXPECT_EQ(busy.within(kFirst + 4).seconds, 0);
  EXPECT_NEAR(busy.since(kMorning).seconds, 0.125, 1e-4);
}

TEST(ProxyBusy, OneThatWaitsForACoreIsAsExhaustedAsOneThatAlwaysWorks) {
  EXPECT_TRUE(kExhaustion.is_met({0.97, 0.97, 0, 1, true}));
  EXPECT_TRUE(kExhaustion.is_met({0.2, 0.6, 0.4, 1, true}));
  EXPECT_TRUE(kExhaustion.is_met({0.75, 0.97, 0.22, 1, true}));
  EXPECT_TRUE(kExhaustion.is_met({0.85, 0.9, 0.35, 1, true})) << "another worker waits";
  EXPECT_FALSE(kExhaustion.is_met({0.85, 0.9, 0.15, 1, true})) << "each has time left";
  EXPECT_FALSE(kExhaustion.is_met({})) << "nothing is known";
}

TEST(ProxyBusy, AWorkerThatWaitsIsNotHiddenByABusierOne) {
  ProxyBusy busy;
  busy.told(kMorning, 0, 0);
  busy.told_waited(kMorning, 0);
  busy.told(kMorning + 1s, 0.9, 0.92);
  busy.told_waited(kMorning + 1s, 0.6);
  EXPECT_TRUE(busy.within(kFirst).is_waiting_known);
  EXPECT_NEAR(busy.within(kFirst).waited, 0.6, 1e-4);
  EXPECT_TRUE(kExhaustion.is_met(busy.within(kFirst)));
  EXPECT_EQ(busy_text(busy.since(kMorning)),
            "ran 90.0 % of the time and another waited 60.0 % of it for a core");
}

TEST(BusyWitness, AsksForTheMomentsInWhichRequestsWereSlow) {
  ProxyBusy busy;
  busy.told(kMorning, 0, 0);
  busy.told(kMorning + 1s, 0.99, 0.99);
  busy.told(kMorning + 3s, 0.1, 0.1);
  BusyWitness witness(kExhaustion);
  witness.hear(0, busy, kFirst + 1, 80);
  witness.hear(0, busy, kFirst + 9, 20);
  EXPECT_NEAR(witness.explained(), 0.8, 1e-6);
  EXPECT_EQ(
      witness.sentence(),
      "The proxy's busiest worker ran 99.0 % of the time meanwhile: overload, not the network.");
}

TEST(BusyWitness, SaysNothingOfProxiesThatDoNotTellWhetherTheyWait) {
  ProxyBusy busy, silent;
  busy.told(kMorning, 0, 0);
  busy.told(kMorning + 1s, 0.5, 0.5);
  BusyWitness witness(kExhaustion);
  witness.hear(0, busy, kFirst + 1, 60);
  witness.hear(1, silent, kFirst + 1, 20);
  EXPECT_FALSE(witness.has_heard());
  EXPECT_EQ(witness.explained(), 0);
  EXPECT_EQ(witness.may_explain(), 1);
  busy.told_waited(kMorning, 0);
  busy.told_waited(kMorning + 1s, 0.01);
  witness.hear(0, busy, kFirst + 1, 20);
  EXPECT_TRUE(witness.has_heard());
  EXPECT_NEAR(witness.may_explain(), 0.8, 1e-6);
}

TEST(BusyWitness, ProvesNothingByWhatIsNotKnown) {
  ProxyBusy busy, silent;
  busy.told(kMorning, 0, 0);
  busy.told(kMorning + 1s, 0.99, 0.99);
  BusyWitness witness(kExhaustion);
  witness.hear(0, busy, kFirst + 1, 30);
  witness.hear(1, silent, kFirst + 1, 70);
  EXPECT_NEAR(witness.explained(), 0.3, 1e-6);
}

TEST(BusyWitness, NamesTheProxiesThatMatter) {
  ProxyBusy busy;
  busy.told(kMorning, 0, 0);
  busy.told(kMorning + 1s, 0.3, 0.9);
  BusyWitness witness(kExhaustion);
  witness.hear(3, busy, kFirst, 50);
  witness.hear(5, busy, kFirst, 45);
  witness.hear(6, busy, kFirst, 5);
  EXPECT_EQ(witness.proxies(), (std::vector<uint32_t>{3, 5}));
  EXPECT_EQ(
      witness.sentence(),
      "The busiest workers of 2 proxies ran 30.0 % of the time and waited 60.0 % of it for a core "
      "meanwhile: the machine has no core left for it, the network is not to blame.");
}

test::WorldOptions options(uint64_t seed, int proxies) {
  test::WorldOptions wanted;
  wanted.seed = seed;
  wanted.proxies = proxies;
  wanted.backends = 4;
  wanted.rate = 100;
  return wanted;
}

// Whether an entry of the incident's timeline contains `text`.
bool tells(const incident::Incident& incident, const std::string& text) {
  return std::any_of(incident.timeline.begin(), incident.timeline.end(),
                     [&](const auto& entry) { return entry.text.find(text) != std::string::npos; });
}

// The type that the incident was opened with, by its title then.
std::string opened_as(const incident::Incident& incident) {
  const auto opened = std::find_if(incident.timeline.begin(), incident.timeline.end(),
                                   [](const auto& entry) { return entry.kind == "opened"; });
  return opened == incident.timeline.end() ? "" : opened->text;
}

TEST(Overload, TheOnlyProxyOfAClusterIsSlowFromTheFirstWordOn) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    World world(options(seed, 1));
    world.run_for(30s);
    auto& amber = world.cluster("amber");
    amber.slow_share = 0.3;
    amber.proxies[0].ran = 0.985;
    amber.proxies[0].waited = 0.005;
    world.run_for(20s);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
    EXPECT_EQ(world.only_incident()->scope.proxy, "amber-proxy-1");
    EXPECT_EQ(opened_as(*world.only_incident()), "Proxy amber-proxy-1 is slow.");
    EXPECT_TRUE(tells(*world.only_incident(),
                      "busiest worker ran 98.5 % of the time meanwhile: overload, not the network"))
        << world.story();
    amber.slow_share = 0;
    amber.proxies[0].ran = 0.2;
    ASSERT_TRUE(world.run_until([&] { return world.book.unresolved().empty(); }, 60s));
    EXPECT_EQ(world.incident_count(), 1U) << world.story();
  }
}

TEST(Overload, OneOfSeveralProxies) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    World world(options(seed, 3));
    world.run_for(30s);
    auto& amber = world.cluster("amber");
    amber.slow_on = [](size_t proxy, size_t) { return proxy == 1 ? 0.3 : 0; };
    amber.proxies[1].ran = 0.99;
    world.run_for(20s);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
    EXPECT_EQ(world.only_incident()->scope.proxy, "amber-proxy-2");
    EXPECT_FALSE(tells(*world.only_incident(), "Slow network")) << world.story();
  }
}

// Its links are held after it hung for a moment, and no request is heard of: that is no news of whose the slow
// ones were.
TEST(Overload, StaysOneWhileNothingIsHeardOfIt) {
  World world(options(1, 1));
  world.run_for(30s);
  auto& amber = world.cluster("amber");
  amber.slow_share = 0.3;
  amber.proxies[0].ran = 0.99;
  world.run_for(10s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  ASSERT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
  world.stop(amber.proxies[0]);
  bool hung = false;
  for (int i = 0; i < 300; ++i) {
    if (i == 40) amber.proxies[0].stopped = false;
    world.run_for(100ms);
    for (const auto& verdict : world.verdicts) {
      hung = hung || verdict.type == Type::kProxyStuck;
      EXPECT_NE(verdict.type, Type::kNetworkDegraded) << i;
    }
  }
  EXPECT_TRUE(hung);
}

// The second has no time left every ninth second: now and then more of its slow requests are explained
// than chance would.
TEST(Overload, ASecondProxyThatComesAndGoesIsNotToldAgainAndAgain) {
  World world(options(1, 2));
  world.run_for(30s);
  auto& amber = world.cluster("amber");
  amber.slow_share = 0.3;
  for (auto& proxy : amber.proxies) proxy.ran = 0.99;
  std::string scope;
  size_t changes = 0;
  for (int i = 0; i < 1200; ++i) {
    if (i > 50) amber.proxies[1].ran = i / 10 % 9 == 0 ? 0.99 : 0.5;
    world.run_for(100ms);
    for (const auto& verdict : world.verdicts) {
      if (!verdict.active || verdict.scope.to_string() == scope) continue;
      scope = verdict.scope.to_string();
      ++changes;
    }
  }
  EXPECT_EQ(scope, "cluster amber");
  EXPECT_EQ(changes, 1U);
  amber.slow_on = [](size_t proxy, size_t) { return proxy == 0 ? 0.3 : 0; };
  amber.proxies[1].ran = 0.2;
  world.run_for(30s);
  ASSERT_FALSE(world.verdicts.empty());
  EXPECT_EQ(world.verdicts[0].scope.proxy, "amber-proxy-1");
}

TEST(Overload, AMachineWithoutACoreForItsProxiesIsOfAllOfThem) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    World world(options(seed, 3));
    world.run_for(30s);
    auto& amber = world.cluster("amber");
    amber.slow_share = 0.3;
    for (auto& proxy : amber.proxies) {
      proxy.ran = 0.25;
      proxy.waited = 0.6;
    }
    world.run_for(20s);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
    EXPECT_EQ(world.only_incident()->scope.to_string(), "cluster amber");
    EXPECT_TRUE(tells(*world.only_incident(), "waited 60.0 % of it for a core")) << world.story();
    EXPECT_FALSE(tells(*world.only_incident(), "Slow network")) << world.story();
  }
}

TEST(Overload, AWaitingWorkerIsNotHiddenByABusierOne) {
  World world(options(1, 3));
  world.run_for(30s);
  auto& amber = world.cluster("amber");
  amber.slow_on = [](size_t proxy, size_t) { return proxy == 1 ? 0.3 : 0; };
  amber.proxies[1].ran = 0.8;
  amber.proxies[1].other_waited = 0.6;
  world.run_for(20s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
  EXPECT_EQ(world.only_incident()->scope.proxy, "amber-proxy-2");
}

// The first quarter seconds are enough only where it is known that the proxies had a core.
TEST(Overload, ProxiesThatDoNotTellOfWaitingMayHaveHadNoCore) {
  const auto found_after = [](uint64_t seed, bool tells) {
    World world(options(seed, 2));
    for (auto& proxy : world.cluster("amber").proxies) proxy.tells_waiting = tells;
    world.run_for(30s);
    world.cluster("amber").slow_share = 0.3;
    return world.run_until([&] { return world.incident_count() > 0; }, 10s).value_or(10s);
  };
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_LE(found_after(seed, true), 500ms);
    EXPECT_GE(found_after(seed, false), 1s);
  }
}

TEST(Overload, ABusyProxyThatHasTimeLeftExplainsNothing) {
  World world(options(1, 1));
  world.run_for(30s);
  world.cluster("amber").slow_share = 0.2;
  world.cluster("amber").proxies[0].ran = 0.85;
  world.run_for(20s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded) << world.story();
}

TEST(Overload, OneExhaustedProxyDoesNotExplainTheOthersSlowRequests) {
  World world(options(1, 4));
  world.run_for(30s);
  world.cluster("amber").slow_share = 0.2;
  world.cluster("amber").proxies[0].ran = 0.99;
  world.run_for(20s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded) << world.story();
  EXPECT_EQ(world.only_incident()->scope.to_string(), "cluster amber");
}

TEST(Overload, ExhaustedProxiesDoNotExplainASingleSlowBackend) {
  World world(options(1, 2));
  world.run_for(30s);
  for (auto& proxy : world.cluster("amber").proxies) proxy.ran = 0.99;
  world.cluster("amber").slow_on = [](size_t, size_t backend) { return backend == 2 ? 0.3 : 0; };
  world.run_for(20s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded) << world.story();
  EXPECT_EQ(world.only_incident()->scope.backend, "amber-backend-3");
}

TEST(Overload, ANetworkThatMakesProxiesBusyLaterStaysTheNetwork) {
  World world(options(1, 2));
  world.run_for(30s);
  world.cluster("amber").slow_share = 0.2;
  world.run_for(10s);
  for (auto& proxy : world.cluster("amber").proxies) proxy.ran = 0.99;  // clients try again
  world.run_for(1min);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded) << world.story();
  EXPECT_FALSE(tells(*world.only_incident(), "not the network")) << world.story();
}

TEST(Overload, SlowEchoesAreTheNetworksHoweverBusyTheProxy) {
  test::WorldOptions wanted = options(1, 1);
  wanted.echoes = true;
  World world(wanted);
  world.run_for(60s);
  world.cluster("amber").slow_share = 0.2;
  world.cluster("amber").proxies[0].ran = 0.99;
  world.run_for(30s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded) << world.story();
  EXPECT_TRUE(tells(*world.only_incident(), "of the echoes on the same links took over"));
}

TEST(Overload, EchoesThatAreWellConfirmIt) {
  test::WorldOptions wanted = options(1, 2);
  wanted.echoes = true;
  World world(wanted);
  world.run_for(60s);
  auto& amber = world.cluster("amber");
  amber.of_members = true;
  amber.slow_on = [](size_t proxy, size_t) { return proxy == 0 ? 0.3 : 0; };
  amber.proxies[0].ran = 0.99;
  world.run_for(30s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
  EXPECT_EQ(world.only_incident()->scope.proxy, "amber-proxy-1");
  EXPECT_TRUE(tells(*world.only_incident(), "the proxy is slow, not the network")) << world.story();
}

}  // namespace
}  // namespace agent::rule
