#include "agent/conns/bpf_source.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "agent/conns/bpf/layout.h"
#include "agent/conns/dump.h"
#include "agent/conns/rights.h"
#include "tests/support/tcp_bed.h"

namespace agent::conns {
namespace {

// Programs in the kernel are only for who has the rights: elsewhere these tests say so and are skipped.
class BpfSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Choice choice = choose(own_rights());
    if (choice.source != SourceKind::kBpf) GTEST_SKIP() << choice.why;
    auto probe = BpfSource::attach({{1, {}}});
    if (!probe.ok() && probe.code() == base::ErrorCode::kPermission) {
      GTEST_SKIP() << probe.error().context;
    }
    ASSERT_TRUE(probe.ok()) << probe.error().context;
  }
  static std::unique_ptr<BpfSource> watching(uint16_t port) {
    auto source = BpfSource::attach({{port, {}}});
    CHECK(source.ok());
    return std::move(*source);
  }
  static ListenerCounts read(const BpfSource& source) {
    Counts counts;
    source.fill(counts);
    return counts.listeners.at(0);
  }
};

TEST_F(BpfSourceTest, CountsWhatWasThereBeforeAndWhatComes) {
  test::TcpBed bed("127.87.4.8", 7);
  bed.half_close(0);
  bed.half_close(1);
  auto source = watching(bed.port());
  ASSERT_TRUE(source->seed().ok());
  EXPECT_EQ(read(*source).states[kEstablished], 5u);
  EXPECT_EQ(read(*source).states[kCloseWait], 2u);
  EXPECT_EQ(read(*source).states[kListen], 1u);

  bed.connect();
  bed.connect();
  EXPECT_EQ(read(*source).states[kEstablished], 7u);
  EXPECT_EQ(read(*source).opened, 2u);
  bed.close_oldest();  // one of the half closed
  EXPECT_EQ(read(*source).states[kCloseWait], 1u);
  EXPECT_EQ(read(*source).closed, 1u);
  EXPECT_EQ(read(*source).aborted, 0u);
  for (int i = 0; i < 5; ++i) bed.open_and_reset();
  EXPECT_EQ(read(*source).states[kEstablished], 7u);
  EXPECT_EQ(read(*source).opened, 7u);
}

TEST_F(BpfSourceTest, CountsListenersThatComeAndGo) {
  auto bed = std::make_unique<test::TcpBed>("127.87.4.9");
  const uint16_t port = bed->port();
  auto source = watching(port);
  ASSERT_TRUE(source->seed().ok());
  EXPECT_EQ(read(*source).states[kListen], 1u);
  bed.reset();
  EXPECT_EQ(read(*source).states[kListen], 0u);
}

TEST_F(BpfSourceTest, TellsListenersAndClientsApart) {
  test::TcpBed bed("127.87.4.10", 0);
  const Address own = parse_address("127.87.4.10").value();
  bed.connect("127.87.5.2");
  auto attached = BpfSource::attach({{bed.port(), {own}}});
  ASSERT_TRUE(attached.ok());
  BpfSource& source = **attached;
  ASSERT_TRUE(source.seed().ok());
  for (int i = 0; i < 3; ++i) bed.connect("127.87.5.3");
  Counts counts;
  source.fill(counts);
  EXPECT_EQ(counts.listeners.at(0).states[kEstablished], 0u);
  EXPECT_EQ(counts.listeners.at(1).states[kEstablished], 4u);
  EXPECT_EQ(counts.clients, 2u);
  EXPECT_EQ(counts.untracked, 0u);
  const auto top = source.top_clients(10);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(to_string(top[0].client), "127.87.5.3");
  EXPECT_EQ(top[0].connections, 3u);
  EXPECT_EQ(top[0].opened, 3u);
  EXPECT_EQ(to_string(top[1].client), "127.87.5.2");
  EXPECT_EQ(top[1].connections, 1u);
}

TEST_F(BpfSourceTest, CountsIpv6AndMappedAddresses) {
  test::TcpBed bed("::1", 3);
  auto source = watching(bed.port());
  ASSERT_TRUE(source->seed().ok());
  bed.connect();
  EXPECT_EQ(read(*source).states[kEstablished], 4u);
  const auto top = source->top_clients(10);
  ASSERT_EQ(top.size(), 1u);
  EXPECT_EQ(to_string(top[0].client), "::1");
}

// Connections change while the walk runs, and again while a second one replaces the first's counts.
TEST_F(BpfSourceTest, IsExactAfterEachSeedingUnderChurn) {
  test::TcpBed bed("127.87.4.11", 300);
  const uint16_t port = bed.port();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> opened{0};
  std::thread churn([&] {
    while (!stop) {
      bed.connect("127.87.5.4");
      bed.open_and_reset("127.87.5.5");
      bed.close_oldest();
      opened += 2;
    }
  });
  std::unique_ptr<BpfSource> source;
  for (int i = 0; i < 6; ++i) {
    if (i % 3 == 0) source = watching(port);
    ASSERT_TRUE(source->seed().ok());
  }
  stop = true;
  churn.join();
  EXPECT_GT(opened, 10u);
  if (source->is_doubtful()) {
    ASSERT_TRUE(source->seed().ok());
  }
  EXPECT_EQ(read(*source).states[kEstablished], bed.size());
  uint64_t sum = 0;
  for (const ClientCount& client : source->top_clients(100)) sum += client.connections;
  EXPECT_EQ(sum, bed.size());
  for (size_t state : {kFinWait1, kFinWait2, kCloseWait, kLastAck, kClosing}) {
    EXPECT_EQ(read(*source).states[state], 0u) << tcp_state_name(static_cast<uint8_t>(state));
  }
}

// Cells that nobody uses are taken back, while clients of all ages go on connecting.
TEST_F(BpfSourceTest, CountsEveryClientWhenMoreComeThanThereAreCells) {
  test::TcpBed bed("127.87.4.12", 0);
  auto source = watching(bed.port());
  ASSERT_TRUE(source->seed().ok());
  for (int i = 0; i < 3; ++i) bed.connect("127.87.5.6");
  constexpr int kClients = 80'000, kBetween = 4'000;
  std::atomic<bool> stop{false};
  std::thread reclaiming([&] {
    while (!stop) source->reclaim_clients();
  });
  uint64_t again = 0;
  for (int i = 0; i < kClients; ++i) {
    bed.open_and_reset("127." + std::to_string(89 + i / 62'500) + "." +
                       std::to_string(i / 250 % 250) + "." + std::to_string(i % 250 + 1));
    if (i % kBetween != 0) continue;
    bed.open_and_reset("127.87.5.6");
    bed.open_and_reset("127.87.5.7");  // its cell is taken back in between, again and again
    ++again;
  }
  stop = true;
  reclaiming.join();
  for (int i = 0; i < 3; ++i) source->reclaim_clients();
  Counts counts;
  source->fill(counts);
  EXPECT_EQ(counts.missed_events, 0u);
  EXPECT_LT(counts.clients, static_cast<uint64_t>(CONNS_CLIENTS)) << "none is left to take";
  EXPECT_EQ(read(*source).states[kEstablished], 3u);
  bed.connect("127.87.5.8");  // who was never there
  source->fill(counts);
  EXPECT_EQ(counts.untracked, 0u);
  EXPECT_EQ(source->top_clients(10).size(), 2u) << "it has a cell";
  bed.reset_newest();
  const auto first = [&] { return source->top_clients(1).at(0); };
  EXPECT_EQ(source->top_clients(10).size(), 1u);
  EXPECT_EQ(to_string(first().client), "127.87.5.6");
  EXPECT_EQ(first().connections, 3u);
  EXPECT_EQ(first().opened, 3 + again);

  ASSERT_TRUE(source->seed().ok());
  EXPECT_EQ(first().connections, 3u);
  EXPECT_EQ(first().opened, 3 + again) << "what the other bank has counted";
  bed.connect("127.87.5.6");
  ASSERT_TRUE(source->seed().ok());
  EXPECT_EQ(first().connections, 4u);
  EXPECT_EQ(first().opened, 4 + again);
}

// One that comes while there is no cell, and leaves when its client has one.
TEST_F(BpfSourceTest, TakesBackACellWithOneConnectionTooFewAndCountsItAmongTheUntracked) {
  test::TcpBed bed("127.87.4.14", 0);
  auto source = watching(bed.port());
  ASSERT_TRUE(source->seed().ok());
  for (int i = 0; i < CONNS_CLIENTS; ++i) {
    bed.open_and_reset("127." + std::to_string(93 + i / 62'500) + "." +
                       std::to_string(i / 250 % 250) + "." + std::to_string(i % 250 + 1));
  }
  const auto untracked = [&] {
    Counts counts;
    source->fill(counts);
    return counts.untracked;
  };
  const auto reclaim = [&] {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(source->reclaim_clients());
  };
  bed.connect("127.87.5.6");
  EXPECT_EQ(untracked(), 1u);
  reclaim();
  bed.connect("127.87.5.6");
  EXPECT_EQ(source->top_clients(10).size(), 1u);
  EXPECT_EQ(untracked(), 1u);
  while (bed.size() > 0) bed.reset_oldest();
  EXPECT_EQ(source->top_clients(10).size(), 0u);
  EXPECT_EQ(untracked(), 1u) << "and one too few in the cell";
  reclaim();
  EXPECT_EQ(untracked(), 0u);
  bed.connect("127.87.5.6");
  EXPECT_EQ(source->top_clients(1).at(0).connections, 1u);
}

// Clients come back just when their cells are taken back, and leave again before that is done.
TEST_F(BpfSourceTest, IsExactWhileClientsReturnWhoseCellsAreTakenBack) {
  test::TcpBed bed("127.87.4.13", 0);
  auto source = watching(bed.port());
  ASSERT_TRUE(source->seed().ok());
  constexpr int kClients = CONNS_CLIENTS / 2 + 2'000;
  const auto client = [](int i) {
    return "127." + std::to_string(91 + i / 62'500) + "." + std::to_string(i / 250 % 250) + "." +
           std::to_string(i % 250 + 1);
  };
  for (int i = 0; i < kClients; ++i) bed.open_and_reset(client(i));
  std::atomic<bool> stop{false};
  std::thread reclaiming([&] {
    while (!stop) source->reclaim_clients();
  });
  uint32_t random = 1;
  for (int i = 0; i < 20'000; ++i) {
    random = random * 1664525 + 1013904223;
    bed.connect(client(static_cast<int>((random >> 8) % kClients)));
    if (bed.size() > 150) bed.reset_oldest();  // some milliseconds old
  }
  stop = true;
  reclaiming.join();
  Counts counts;
  source->fill(counts);
  EXPECT_EQ(counts.missed_events, 0u);
  EXPECT_EQ(read(*source).states[kEstablished], bed.size());
  uint64_t sum = counts.untracked;
  for (const ClientCount& each : source->top_clients(kClients)) sum += each.connections;
  EXPECT_EQ(sum, bed.size());
  while (bed.size() > 0) bed.reset_oldest();
  source->fill(counts);
  EXPECT_EQ(counts.untracked, 0u);
  EXPECT_EQ(source->top_clients(10).size(), 0u);
}

}  // namespace
}  // namespace agent::conns
