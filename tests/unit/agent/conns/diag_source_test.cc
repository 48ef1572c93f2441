#include "agent/conns/diag_source.h"

#include <gtest/gtest.h>

#include "tests/support/tcp_bed.h"

namespace agent::conns {
namespace {

constexpr base::Instant kStart{1'000'000'000};

TEST(DiagSource, DividesAllPortsAmongItsWindows) {
  uint32_t next = 0;
  for (size_t window = 0; window < kWindows; ++window) {
    const RemotePorts ports = remote_ports(window);
    EXPECT_EQ(ports.low, next);
    EXPECT_EQ(window_of(ports.low), window);
    EXPECT_EQ(window_of(ports.high), window);
    next = ports.high + 1u;
  }
  EXPECT_EQ(next, 65536u);
}

TEST(DiagSource, CountsStatesAndClientsOfEachListener) {
  test::TcpBed bed("127.87.4.6", 4);
  for (int i = 0; i < 3; ++i) bed.connect("127.87.5.1");
  bed.half_close(0);
  const Address address = parse_address("127.87.4.6").value();
  auto source = DiagSource::create({{bed.port(), {address}}});
  ASSERT_TRUE(source.ok());
  Counts counts;
  source->fill(counts, kStart);
  EXPECT_FALSE(counts.known);
  ASSERT_TRUE(source->step(kStart, false).ok());
  counts = {};
  source->fill(counts, kStart + std::chrono::seconds(2));
  EXPECT_TRUE(counts.known);
  EXPECT_FALSE(counts.exact);
  EXPECT_DOUBLE_EQ(counts.age_seconds, 2);
  const auto& listener = counts.listeners.at(1);
  EXPECT_FALSE(listener.others);
  EXPECT_EQ(listener.states[kEstablished], 6u);
  EXPECT_EQ(listener.states[kCloseWait], 1u);
  const auto top = source->top_clients(1);
  ASSERT_EQ(top.size(), 1u);
  EXPECT_EQ(to_string(top[0].client), "127.0.0.1");
  EXPECT_EQ(top[0].connections, 3u);
}

TEST(DiagSource, RestsSoThatItStaysWithinItsBudget) {
  const test::TcpBed bed("127.87.4.7", 10);
  auto source = DiagSource::create({{bed.port(), {}}});
  ASSERT_TRUE(source->step(kStart, true).ok());
  const double share = base::to_seconds(source->last_cost()) / base::to_seconds(source->pause());
  EXPECT_LE(share, kBudget * 1.001);
  EXPECT_GE(source->pause(), std::chrono::seconds(1));
}

}  // namespace
}  // namespace agent::conns
