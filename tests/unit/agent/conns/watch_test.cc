#include "agent/conns/watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>

#include "tests/support/tcp_bed.h"

namespace agent::conns {
namespace {

// The watching thread looks at its rights once a second, in real time.
template <class Condition>
bool becomes_true(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    ::poll(nullptr, 0, 10);
  }
  return false;
}

TEST(Watch, CountsWithoutRightsAndSaysWhy) {
  const test::TcpBed bed("127.87.4.12", 6);
  const base::SystemClock clock;
  auto watch = Watch::start({{bed.port(), {}}}, clock, [] { return Rights{false, true, 6, 1}; });
  ASSERT_TRUE(watch.ok());
  ASSERT_TRUE(becomes_true([&] { return (*watch)->counts().known; }));
  const Counts counts = (*watch)->counts();
  EXPECT_EQ(counts.source, SourceKind::kDiagnostics);
  EXPECT_NE(counts.why.find("CAP_BPF"), std::string::npos);
  EXPECT_EQ(counts.listeners.at(0).states[kEstablished], 6u);
  EXPECT_EQ(counts.listeners.at(0).states[kListen], 1u);
  EXPECT_EQ(counts.listeners.at(0).queue_limit, 128u);
  EXPECT_EQ((*watch)->top_clients(10).size(), 1u);
}

TEST(Watch, FollowsItsRights) {
  const Choice choice = choose(own_rights());
  if (choice.source != SourceKind::kBpf) GTEST_SKIP() << choice.why;
  if (!BpfSource::attach({{1, {}}}).ok()) GTEST_SKIP() << "the kernel takes no BPF programs here";
  const test::TcpBed bed("127.87.4.13", 6);
  const base::SystemClock clock;
  std::atomic<bool> allowed{false};
  auto watch = Watch::start({{bed.port(), {}}}, clock, [&allowed] {
    return Rights{allowed, true, 6, 1};
  });
  ASSERT_TRUE(watch.ok());
  const auto source = [&] { return (*watch)->counts().source; };
  ASSERT_TRUE(becomes_true([&] { return (*watch)->counts().known; }));
  EXPECT_EQ(source(), SourceKind::kDiagnostics);
  allowed = true;
  ASSERT_TRUE(becomes_true([&] { return source() == SourceKind::kBpf; }));
  EXPECT_TRUE((*watch)->counts().exact);
  EXPECT_EQ((*watch)->counts().listeners.at(0).states[kEstablished], 6u);
  allowed = false;
  ASSERT_TRUE(becomes_true([&] { return source() == SourceKind::kDiagnostics; }));
  ASSERT_TRUE(becomes_true([&] { return (*watch)->counts().known; }));
  EXPECT_EQ((*watch)->counts().listeners.at(0).states[kEstablished], 6u);
}

}  // namespace
}  // namespace agent::conns
