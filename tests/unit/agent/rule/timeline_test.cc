// What people live through, as timelines on virtual time: faults, noise, and what the detector and
// the incident book make of them together.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::RunEvent;
using agent::incident::State;
using agent::incident::Type;
using test::World;
using test::WorldOptions;

// Until an incident is open; the delay in seconds, or -1.
double detection_delay(World& world, base::Duration limit) {
  const auto took = world.run_until(
      [&] {
        const auto open = world.book.unresolved();
        return !open.empty() && open[0]->state != State::kSuspected;
      },
      limit);
  return took ? base::to_seconds(*took) : -1;
}

WorldOptions seeded(uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  return options;
}

TEST(Timeline, AKilledProxyIsOneIncidentThatClosesSoonAfterItsReplacement) {
  World world(seeded(1));
  world.run_for(1min);
  auto& proxy = world.cluster("amber").proxies[0];
  world.kill(proxy);
  EXPECT_LE(detection_delay(world, 5s), 0.11);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  const std::string id = world.only_incident()->id;
  EXPECT_EQ(world.only_incident()->type, Type::kProxyDead);
  EXPECT_EQ(world.only_incident()->scope.proxy, "amber-proxy-1");

  RunEvent run{RunEvent::Kind::kStarted,           "run-1", "replace-proxy", id,
               {"amber", "amber-proxy-1", "", ""}, ""};
  world.book.run_event(run, world.moment());
  EXPECT_EQ(world.book.find(id)->state, State::kMitigating);
  world.run_for(2s);
  proxy.dead = false;
  const base::Instant recovered = world.now();
  world.run_for(3s);
  run.kind = RunEvent::Kind::kVerified;
  world.book.run_event(run, world.moment());
  ASSERT_TRUE(world.run_until([&] { return world.book.unresolved().empty(); }, 30s))
      << world.story();
  EXPECT_LE(base::to_seconds(world.now() - recovered), 8);
  world.run_for(2min);
  EXPECT_EQ(world.incident_count(), 1U) << world.story();
}

TEST(Timeline, AKilledProxyWithoutReplacementStaysOneIncident) {
  World world(seeded(2));
  world.run_for(1min);
  world.kill(world.cluster("amber").proxies[1]);
  world.run_for(10min);
  ASSERT_EQ(world.incident_count(), 1U) << world.story();
  EXPECT_EQ(world.only_incident()->state, State::kOpen);
}

TEST(Timeline, AStoppedProxyIsStuckWithinSecondsAndNotItsNeighbours) {
  World world(seeded(3));
  world.run_for(1min);
  world.stop(world.cluster("birch").proxies[0]);
  EXPECT_GT(detection_delay(world, 10s), 0);
  EXPECT_LE(base::to_seconds(world.now() - world.cluster("birch").proxies[0].stopped_at), 3);
  world.run_for(1min);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kProxyStuck);
  EXPECT_EQ(world.only_incident()->scope.proxy, "birch-proxy-1");
}

TEST(Timeline, AStoppedBackendIsAttributedToItWithinSeconds) {
  for (const double rate : {20.0, 500.0}) {
    WorldOptions options = seeded(4);
    options.rate = rate;
    World world(options);
    world.run_for(1min);
    auto& backend = world.cluster("amber").backends[1];
    world.stop(backend);
    const double delay = detection_delay(world, 10s);
    EXPECT_GT(delay, 0);
    EXPECT_LE(delay, 2.5) << "rate " << rate;
    world.run_for(20s);
    backend.stopped = false;
    world.run_for(2min);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kBackendStuck);
    EXPECT_EQ(world.only_incident()->scope.backend, "amber-backend-2");
    EXPECT_EQ(world.only_incident()->state, State::kResolved);
  }
}

TEST(Timeline, FifteenPercentSlowOnOneClusterIsThatClustersNetworkWithinSeconds) {
  double sum = 0, worst = 0;
  for (uint64_t seed = 10; seed < 30; ++seed) {
    World world(seeded(seed));
    world.run_for(30s);
    world.cluster("amber").slow_share = 0.15;
    const double delay = detection_delay(world, 20s);
    ASSERT_GT(delay, 0) << "seed " << seed;
    sum += delay;
    worst = std::max(worst, delay);
    world.run_for(20s);
    ASSERT_NE(world.only_incident(), nullptr) << "seed " << seed << "\n" << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded);
    EXPECT_EQ(world.only_incident()->scope.to_string(), "cluster amber") << "seed " << seed;
    world.cluster("amber").slow_share = 0;
    EXPECT_TRUE(world.run_until([&] { return world.book.unresolved().empty(); }, 60s));
  }
  RecordProperty("mean_delay_seconds", std::to_string(sum / 20));
  std::printf("tiny traffic: mean %.1f s, worst %.1f s\n", sum / 20, worst);
  EXPECT_LE(sum / 20, 5);
  EXPECT_LE(worst, 8);
}

TEST(Timeline, UnderTrafficTheShiftIsFoundFaster) {
  for (uint64_t seed = 30; seed < 33; ++seed) {
    for (const double rate : {300.0, 3000.0}) {
      WorldOptions options = seeded(seed);
      options.rate = rate;
      World world(options);
      world.run_for(30s);
      world.cluster("birch").slow_share = 0.15;
      const double delay = detection_delay(world, 20s);
      EXPECT_GT(delay, 0) << "seed " << seed << " rate " << rate;
      EXPECT_LE(delay, 2.5) << "seed " << seed << " rate " << rate;
      world.run_for(5s);
      ASSERT_NE(world.only_incident(), nullptr) << world.story();
      EXPECT_EQ(world.only_incident()->scope.to_string(), "cluster birch");
    }
  }
}

TEST(Timeline, TheMoreProxiesLookTheSoonerAShiftIsFound) {
  for (const int proxies : {2, 12}) {
    WorldOptions options = seeded(35);
    options.proxies = options.backends = proxies;
    options.rate = 1000.0 / proxies;
    World world(options);
    for (auto& proxy : world.cluster("amber").proxies) proxy.waited = 0.1;
    world.run_for(30s);
    world.cluster("amber").slow_share = 0.15;
    const double delay = detection_delay(world, 10s);
    if (proxies == 2) {
      EXPECT_GE(delay, 0.75) << "a machine's own second of trouble must pass";
    } else {
      EXPECT_GT(delay, 0);
      EXPECT_LE(delay, 0.5);
    }
    world.run_for(5s);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->scope.to_string(), "cluster amber");
  }
}

TEST(Timeline, ProxiesThatHadACoreAllTheTimeAreBelievedSooner) {
  for (const bool of_one : {false, true}) {
    WorldOptions options = seeded(37);
    options.rate = 500;
    World world(options);
    world.run_for(30s);
    world.cluster("amber").slow_on = [of_one](size_t, size_t b) {
      return of_one && b == 1 ? 0 : 0.15;
    };
    const double delay = detection_delay(world, 10s);
    EXPECT_GT(delay, 0);
    EXPECT_LE(delay, of_one ? 1 : 0.5);
    world.run_for(5s);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->scope.to_string(),
              of_one ? "backend amber-backend-1" : "cluster amber");
  }
}

TEST(Timeline, ManyProxiesOnAMachineThatStallsRaiseNothing) {
  for (const double rate : {5.0, 80.0}) {
    WorldOptions options = seeded(36);
    options.proxies = options.backends = 12;
    options.rate = rate;
    options.pauses = 1;
    options.background = 0.003;
    World world(options);
    world.run_for(1min);
    for (const auto length : {200ms, 900ms, 3000ms}) {
      world.pause(length);
      world.run_for(20s);
    }
    EXPECT_EQ(world.incident_count(), 0U) << "rate " << rate << "\n" << world.story();
  }
}

TEST(Timeline, OneSlowProxyOrBackendIsNotTheNetwork) {
  for (const bool row : {true, false}) {
    WorldOptions options = seeded(40);
    options.rate = 200;
    World world(options);
    world.run_for(30s);
    world.cluster("amber").slow_on = [row](size_t p, size_t b) {
      return (row ? p : b) == 1 ? 0.2 : 0.0;
    };
    EXPECT_GT(detection_delay(world, 10s), 0) << world.story();
    world.run_for(10s);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->scope.to_string(),
              row ? "proxy amber-proxy-2" : "backend amber-backend-2");
  }
}

TEST(Timeline, BothClustersSlowAreOneIncidentOfSeveralClusters) {
  World world(seeded(50));
  world.run_for(30s);
  world.cluster("amber").slow_share = 0.2;
  world.run_for(10s);
  world.cluster("birch").slow_share = 0.2;
  world.run_for(15s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kSeveralClusters);
  EXPECT_EQ(world.only_incident()->scope, agent::incident::Scope{});
}

TEST(Timeline, BothClustersSlowFromTheSameMomentAreFoundEvenWithTinyTraffic) {
  for (uint64_t seed = 53; seed < 58; ++seed) {
    World world(seeded(seed));
    world.run_for(30s);
    world.cluster("amber").slow_share = 0.15;
    world.cluster("birch").slow_share = 0.15;
    const double delay = detection_delay(world, 20s);
    EXPECT_GT(delay, 0) << "seed " << seed;
    EXPECT_LE(delay, 10) << "seed " << seed;
    world.run_for(15s);
    ASSERT_NE(world.only_incident(), nullptr) << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kSeveralClusters) << world.story();
  }
}

TEST(Timeline, LinksThatLoseEverythingAreTheNetworkAndNobodyIsCalledStuck) {
  World world(seeded(51));
  world.run_for(30s);
  world.cluster("amber").lost = true;
  const double delay = detection_delay(world, 15s);
  EXPECT_GT(delay, 0);
  EXPECT_LE(delay, 10);
  world.run_for(30s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->scope.to_string(), "cluster amber");
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded);
}

WorldOptions with_echoes(uint64_t seed) {
  WorldOptions options = seeded(seed);
  options.rate = 100;
  options.echoes = true;
  return options;
}

// Whether an entry of the incident's timeline contains `text`.
bool tells(const agent::incident::Incident& incident, const std::string& text) {
  return std::any_of(incident.timeline.begin(), incident.timeline.end(),
                     [&](const auto& entry) { return entry.text.find(text) != std::string::npos; });
}

TEST(Timeline, EchoesThatAreSlowAsWellSayThatItIsTheNetwork) {
  for (uint64_t seed = 200; seed < 210; ++seed) {
    World world(with_echoes(seed));
    world.run_for(60s);
    world.cluster("amber").slow_share = 0.15;
    ASSERT_GT(detection_delay(world, 20s), 0) << "seed " << seed;
    world.run_for(10s);
    ASSERT_NE(world.only_incident(), nullptr) << "seed " << seed << "\n" << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded) << world.story();
    EXPECT_TRUE(tells(*world.only_incident(), "of the echoes on the same links took over 2.0 ms"))
        << world.story();
    EXPECT_FALSE(tells(*world.only_incident(), "not the network")) << world.story();
  }
}

TEST(Timeline, EchoesThatAreLostSayThatItIsTheNetwork) {
  World world(with_echoes(211));
  world.run_for(60s);
  world.cluster("amber").lost = true;
  world.run_for(30s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded);
  EXPECT_TRUE(tells(*world.only_incident(), "or were lost (usually")) << world.story();
}

TEST(Timeline, EchoesThatStayWellSayThatTheBackendIsSlow) {
  for (uint64_t seed = 220; seed < 230; ++seed) {
    World world(with_echoes(seed));
    world.run_for(60s);
    world.cluster("amber").of_members = true;
    world.cluster("amber").slow_on = [](size_t, size_t backend) { return backend == 1 ? 0.2 : 0; };
    ASSERT_GT(detection_delay(world, 20s), 0) << "seed " << seed;
    world.run_for(20s);
    ASSERT_NE(world.only_incident(), nullptr) << "seed " << seed << "\n" << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
    EXPECT_EQ(world.only_incident()->title, "Backend amber-backend-2 is slow");
    EXPECT_TRUE(tells(*world.only_incident(), "the backend is slow, not the network"))
        << world.story();
    world.cluster("amber").slow_on = nullptr;
    EXPECT_TRUE(world.run_until([&] { return world.book.unresolved().empty(); }, 60s));
    EXPECT_EQ(world.incident_count(), 1U) << world.story();
  }
}

TEST(Timeline, EchoesOfAnAgentThatSparesItsHostSaySoAsSoon) {
  for (uint64_t seed = 234; seed < 244; ++seed) {
    WorldOptions options = with_echoes(seed);
    options.echo_every = 2s;
    World world(options);
    world.run_for(120s);
    EXPECT_FALSE(world.detector.wants_echoes());
    world.cluster("amber").of_members = true;
    world.cluster("amber").slow_on = [](size_t, size_t backend) { return backend == 1 ? 0.2 : 0; };
    ASSERT_GT(detection_delay(world, 20s), 0) << "seed " << seed;
    EXPECT_TRUE(world.detector.wants_echoes());
    world.run_for(15s);
    ASSERT_NE(world.only_incident(), nullptr) << "seed " << seed << "\n" << world.story();
    EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
    world.run_for(60s);
    EXPECT_FALSE(world.detector.wants_echoes())
        << "a trouble that lasts is not asked about for ever";
  }
}

TEST(Timeline, WhatIsUsualOfEchoesIsKeptOverARestart) {
  World before(with_echoes(232));
  before.run_for(60s);
  World world(with_echoes(233));
  ASSERT_TRUE(world.detector.restore(before.detector.save(), world.now()).ok());
  world.run_for(8s);
  world.cluster("amber").of_members = true;
  world.cluster("amber").slow_share = 0.2;
  world.run_for(30s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kMemberSlow) << world.story();
  EXPECT_EQ(world.only_incident()->title, "Slow members in cluster amber");
}

TEST(Timeline, TooFewEchoesChangeNothing) {
  World world(with_echoes(231));
  world.run_for(25s);  // of 30 that it takes to know what is usual
  world.cluster("amber").of_members = true;
  world.cluster("amber").slow_share = 0.2;
  world.run_for(40s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded) << world.story();
  EXPECT_FALSE(tells(*world.only_incident(), "choes")) << world.story();
}

TEST(Timeline, AFlappingNetworkIsOneIncident) {
  WorldOptions options = seeded(60);
  options.rate = 200;
  World world(options);
  world.run_for(30s);
  for (int i = 0; i < 20; ++i) {
    world.cluster("amber").slow_share = i % 2 == 0 ? 0.15 : 0;
    world.run_for(8s);
  }
  EXPECT_EQ(world.incident_count(), 1U) << world.story();
}

TEST(Timeline, LoadThatDoublesOrStartsIsNoTrouble) {
  World world(seeded(70));
  world.run_for(30s);
  for (const double rate : {400.0, 800.0, 1600.0, 100.0, 800.0}) {
    world.cluster("amber").rate = rate;
    world.run_for(30s);
  }
  EXPECT_EQ(world.incident_count(), 0U) << world.story();
}

TEST(Timeline, SlownessThatComesWithALoadStepIsOverloadNotTheNetwork) {
  WorldOptions options = seeded(71);
  options.rate = 100;
  World world(options);
  world.run_for(1min);
  world.cluster("amber").rate = 2000;
  world.cluster("amber").slow_share = 0.1;
  world.run_for(2min);
  EXPECT_EQ(world.incident_count(), 0U) << world.story();
}

TEST(Timeline, AFaultUnderAnEarlierLoadStepIsStillFound) {
  World world(seeded(72));
  world.run_for(20s);
  world.cluster("amber").rate = 1000;
  world.run_for(10s);
  world.cluster("amber").slow_share = 0.15;
  EXPECT_GT(detection_delay(world, 5s), 0);
}

void expect_one_incident(World& world, const std::string& scope) {
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->scope.to_string(), scope);
}

// A job that asks for twice as much again as all others; a share of all is slow meanwhile.
WorldOptions before_a_job(uint64_t seed) {
  WorldOptions options = seeded(seed);
  options.rate = 250;
  return options;
}
void run_a_job(World& world, const std::function<double(size_t, size_t)>& slow) {
  auto& cluster = world.cluster("amber");
  cluster.rate *= 3;
  cluster.slow_on = slow;
  world.run_for(8s);
  cluster.rate /= 3;
  cluster.slow_on = nullptr;
  world.run_for(7s);
}

TEST(Timeline, WhatWasSlowUnderTheLoadOfAJobHidesNoSlowLinkAfterIt) {
  World world(before_a_job(73));
  world.run_for(1min);
  for (int i = 0; i < 3; ++i) run_a_job(world, [](size_t, size_t) { return 0.35; });
  ASSERT_EQ(world.incident_count(), 0U) << world.story();
  world.cluster("amber").slow_on = [](size_t p, size_t b) { return p == 1 && b == 1 ? 0.2 : 0; };
  EXPECT_GT(detection_delay(world, 3s), 0);
  expect_one_incident(world, "link amber-proxy-2 to amber-backend-2");
}

TEST(Timeline, ALinkThatWasTheSlowestUnderTheLoadOfAJobIsNotLeftOutAfterIt) {
  World world(before_a_job(74));
  world.run_for(1min);
  run_a_job(world, [](size_t p, size_t b) { return p == 1 && b == 1 ? 0.5 : 0.15; });
  world.cluster("amber").slow_share = 0.2;
  EXPECT_GT(detection_delay(world, 3s), 0);
  world.run_for(3s);
  expect_one_incident(world, "cluster amber");
}

TEST(Timeline, AnAgentThatIsReplacedDuringAJobKnowsWhatWasUsualBeforeIt) {
  World world(before_a_job(76));
  world.run_for(1min);
  world.cluster("amber").rate = 750;
  world.cluster("amber").slow_share = 0.35;
  world.run_for(8s);
  World next(before_a_job(77));
  ASSERT_TRUE(next.detector.restore(world.detector.save(), next.now()));
  next.run_for(10s);
  next.cluster("amber").slow_on = [](size_t p, size_t b) { return p == 1 && b == 1 ? 0.2 : 0; };
  EXPECT_GT(detection_delay(next, 3s), 0);
}

TEST(Timeline, AnAgentThatIsReplacedDuringAJobTakesItForNothingElse) {
  World world(before_a_job(78));
  world.run_for(1min);
  world.cluster("amber").rate = 750;
  world.cluster("amber").slow_share = 0.35;
  world.run_for(8s);
  ASSERT_EQ(world.incident_count(), 0U) << world.story();
  World next(before_a_job(79));
  ASSERT_TRUE(next.detector.restore(world.detector.save(), next.now()));
  next.cluster("amber").rate = 750;
  next.cluster("amber").slow_share = 0.35;
  next.run_for(30s);
  EXPECT_EQ(next.incident_count(), 0U) << next.story();
}

// Two seconds of the usual load, one of three times as much, again and again.
void run_bursts(World& world, int count) {
  auto& cluster = world.cluster("amber");
  for (int i = 0; i < count; ++i) {
    cluster.rate = 750;
    world.run_for(1s);
    cluster.rate = 250;
    world.run_for(2s);
  }
}

TEST(Timeline, WorkThatComesInBurstsHidesNoSlowLinks) {
  World world(before_a_job(81));
  world.run_for(1min);
  run_bursts(world, 5);
  ASSERT_EQ(world.incident_count(), 0U) << world.story();
  world.cluster("amber").slow_on = [](size_t p, size_t) { return p == 1 ? 0.2 : 0; };
  run_bursts(world, 2);
  expect_one_incident(world, "proxy amber-proxy-2");
}

TEST(Timeline, ASlowProxyIsToldAtOnceWhereTheOthersAreALittleSlowToo) {
  World world(before_a_job(82));
  world.run_for(1min);
  world.cluster("amber").slow_on = [](size_t p, size_t) { return p == 1 ? 0.2 : 0.012; };
  EXPECT_GT(detection_delay(world, 2s), 0);
  expect_one_incident(world, "proxy amber-proxy-2");
}

TEST(Timeline, AJobThatMakesNearlyEverythingSlowAndThenAllIsNotTheNetwork) {
  World world(before_a_job(75));
  world.run_for(1min);
  auto& cluster = world.cluster("amber");
  cluster.rate = 750;
  for (const double share : {0.7, 0.7, 0.9, 0.6, 0.7, 0.7, 1.0, 1.0, 1.0, 0.8}) {
    cluster.slow_share = share;
    world.run_for(1s);
  }
  cluster.rate = 250;
  cluster.slow_share = 0;
  world.run_for(20s);
  EXPECT_EQ(world.incident_count(), 0U) << world.story();
}

TEST(Timeline, ALongPauseIsNoTrouble) {
  for (const double rate : {20.0, 1000.0}) {
    WorldOptions options = seeded(80);
    options.rate = rate;
    World world(options);
    world.run_for(30s);
    for (const auto length : {200ms, 900ms, 3000ms}) {
      world.pause(length);
      world.run_for(20s);
    }
    EXPECT_EQ(world.incident_count(), 0U) << world.story();
  }
}

TEST(Timeline, HoursOfOrdinaryNoiseRaiseNothing) {
  World world(seeded(90));
  world.run_for(3h);
  EXPECT_EQ(world.incident_count(), 0U) << world.story();
}

TEST(Timeline, ABusyMachineWithABurstEverySecondRaisesNothing) {
  for (const double rate : {20.0, 300.0}) {
    WorldOptions options = seeded(91);
    options.rate = rate;
    options.pauses = 1;
    options.longest_pause = 40ms;
    options.background = 0.003;
    World world(options);
    world.run_for(rate > 100 ? 10min : 1h);
    EXPECT_EQ(world.incident_count(), 0U) << "rate " << rate << "\n" << world.story();
  }
}

TEST(Timeline, AnIdleRegionOnAMachineThatStallsFiveTimesASecondRaisesNothing) {
  WorldOptions options = seeded(92);
  options.pauses = 5;
  World world(options);
  world.run_for(30min);
  EXPECT_EQ(world.incident_count(), 0U) << world.story();
}

TEST(Timeline, OneClientThatFloodsIsNamed) {
  WorldOptions options = seeded(100);
  options.clients = true;
  World world(options);
  world.run_for(5min);
  world.cluster("amber").proxies[0].clients["192.0.2.7"] = 4000;
  EXPECT_GT(detection_delay(world, 10s), 0);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kClientFlood);
  EXPECT_EQ(world.only_incident()->scope.client, "192.0.2.7");
  EXPECT_EQ(world.only_incident()->scope.proxy, "amber-proxy-1");
}

TEST(Timeline, ASurgeByEverybodyBlamesNobody) {
  WorldOptions options = seeded(101);
  options.clients = true;
  World world(options);
  world.run_for(5min);
  for (auto& proxy : world.cluster("amber").proxies) {
    for (auto& [client, count] : proxy.clients) count *= 6;
  }
  EXPECT_GT(detection_delay(world, 10s), 0);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kConnectionSurge);
  EXPECT_EQ(world.only_incident()->scope.to_string(), "cluster amber");
}

// August 2016 in small: slow packets on all links, then connections pile up and move about, then the
// next cluster. The answer must be the network, in one incident, and no machine.
TEST(Timeline, TheOutageInSmallIsOneIncidentAboutTheNetwork) {
  WorldOptions options = seeded(110);
  options.clients = true;
  options.rate = 100;
  World world(options);
  world.run_for(5min);
  auto& amber = world.cluster("amber");
  amber.slow_share = 0.15;
  EXPECT_LE(detection_delay(world, 10s), 3);
  for (int i = 0; i < 6; ++i) {
    for (size_t p = 0; p < amber.proxies.size(); ++p) {
      const double factor = (i % 2 == 0) == (p == 0) ? 8 : 2;
      for (auto& [client, count] : amber.proxies[p].clients) count = 30 * factor;
    }
    world.run_for(1min);
  }
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kNetworkDegraded);
  world.cluster("birch").slow_share = 0.15;
  world.run_for(30s);
  ASSERT_NE(world.only_incident(), nullptr) << world.story();
  EXPECT_EQ(world.only_incident()->type, Type::kSeveralClusters);
  EXPECT_TRUE(world.book.is_correlated("amber", Type::kNetworkDegraded, world.now()));
}

}  // namespace
