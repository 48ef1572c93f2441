#include "agent/conns/spread.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/conns/report.h"

namespace agent::conns {
namespace {

using Kind = Spread::Kind;

TEST(Spread, NobodyIsConnected) {
  const Spread spread = spread_of({}, 0, false);
  EXPECT_EQ(spread.kind, Kind::kNobody);
  EXPECT_EQ(describe(spread), "nobody is connected");
}

TEST(Spread, OneClientHoldsAll) {
  EXPECT_EQ(describe(spread_of({12}, 12, false)), "a handful: one client holds all 12 connections");
}

TEST(Spread, AFewThatHoldMostAreAHandful) {
  std::vector<uint64_t> largest{2000, 1500, 600};
  largest.insert(largest.end(), 97, 9);
  const Spread spread = spread_of(largest, 4973, false);
  EXPECT_EQ(spread.kind, Kind::kHandful);
  EXPECT_EQ(describe(spread),
            "a handful: 2 of 100 clients hold 70 % of 4973 connections; the others 15.0 each");
}

TEST(Spread, AsManyForEachIsEverybody) {
  const Spread spread = spread_of(std::vector<uint64_t>(40, 50), 2000, false);
  EXPECT_EQ(spread.kind, Kind::kEverybody);
  EXPECT_EQ(describe(spread),
            "everybody: the 10 largest of 40 clients hold 25 % of 2000 connections; the others "
            "50.0 each");
}

// A quarter of the clients at most: two of three that hold most are no handful of culprits.
TEST(Spread, MostOfVeryFewClientsIsEverybody) {
  const Spread spread = spread_of({40, 35, 25}, 100, false);
  EXPECT_EQ(spread.kind, Kind::kEverybody);
  EXPECT_EQ(describe(spread),
            "everybody: the 3 largest of 3 clients hold 100 % of 100 connections");
}

TEST(Spread, ClientsThatAreNotListedCountToo) {
  const Spread spread = spread_of(std::vector<uint64_t>(100, 60), 60'000, true);
  EXPECT_EQ(spread.kind, Kind::kEverybody);
  EXPECT_EQ(describe(spread),
            "everybody: the 10 largest of more than 100 clients hold 1 % of 60000 connections");
}

// Properties: few and their share never exceed what there is, and a handful is one by its own figures.
TEST(Spread, FiguresAgreeWithEachOther) {
  uint64_t state = 7;
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint64_t> largest;
    uint64_t sum = 0;
    for (uint64_t i = 0, n = (state >> 33) % 30; i < n; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      largest.push_back(1 + (state >> 40) % 1000);
      sum += largest.back();
    }
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::sort(largest.rbegin(), largest.rend());
    const Spread spread = spread_of(largest, sum, false);
    ASSERT_EQ(spread.connections, sum);
    ASSERT_LE(spread.held_by_few, sum);
    ASSERT_LE(spread.few, std::min<uint64_t>(10, largest.size()));
    if (spread.kind == Kind::kHandful) {
      ASSERT_GE(10 * spread.held_by_few, 6 * sum);
      ASSERT_LE(spread.few, std::max<uint64_t>(1, largest.size() / 4));
    }
  }
}

TEST(Spread, TheReportByClientHasIt) {
  Counts counts;
  counts.listeners.resize(2);
  counts.listeners[0].port = 11211;
  counts.listeners[1].port = 11212;
  counts.listeners[0].states[kEstablished] = 30;
  counts.listeners[1].states[kEstablished] = 500;
  std::vector<ClientCount> clients;
  for (uint32_t i = 0; i < 10; ++i) {
    ClientCount client;
    client.client.back() = static_cast<uint8_t>(i);
    client.connections = 3;
    clients.push_back(client);
  }
  ClientCount flood;
  flood.client.back() = 200;
  flood.listener = 1;
  flood.connections = 500;
  clients.push_back(flood);
  const auto kind = [&](uint16_t port) {
    const auto answer = report(counts, clients, By::kClient, port);
    return std::string(answer.at("spread").at("kind").as_string());
  };
  EXPECT_EQ(kind(0), "handful");
  EXPECT_EQ(kind(11211), "everybody");
  EXPECT_EQ(kind(11212), "handful");
  EXPECT_FALSE(report(counts, clients, By::kState, 0).contains("spread"));
}

}  // namespace
}  // namespace agent::conns
