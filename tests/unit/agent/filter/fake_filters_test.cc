#include "tests/support/fake_filters.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "tests/support/manual_time.h"

namespace agent::filter {
namespace {

using namespace std::chrono_literals;
using Fault = test::FakeFilterTable::Fault;

// Says what the kernel's table says (nftables_test.cc), so that what is tested with it holds.
struct Faked {
  boost::asio::io_context io;
  test::ManualClock clock;
  test::FakeFilterTable table{clock};
  const Subject attacker = *Subject::parse("203.0.113.9");

  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result = std::move(value);
    });
    io.restart();
    io.run();
    return std::move(*result);
  }
  base::Result<> block(base::Duration ttl, uint64_t fence = 0) {
    FilterChange change;
    change.lock = "cluster/amber";
    change.fence = fence;
    change.additions.push_back({attacker, Mode::kBlock, "run-1", ttl});
    change.removals.push_back({attacker, Mode::kCount});
    return run(table.apply(change));
  }
  std::vector<Filter> filters() { return run(table.list(clock.now()))->filters; }
};

TEST(FakeFilterTable, KeepsFiltersUntilTheirEndAndRenewsThem) {
  Faked faked;
  ASSERT_TRUE(faked.block(10s).ok());
  faked.table.come(faked.attacker, 5);
  faked.clock.advance(4s);
  ASSERT_EQ(faked.filters().size(), 1u);
  EXPECT_EQ(faked.filters()[0].left, base::Duration(6s));
  EXPECT_EQ(faked.filters()[0].packets, 5u);
  ASSERT_TRUE(faked.block(10s).ok());
  EXPECT_EQ(faked.filters()[0].left, base::Duration(10s));
  EXPECT_EQ(faked.filters()[0].packets, 0u);
  faked.clock.advance(10s);
  EXPECT_TRUE(faked.filters().empty());
}

TEST(FakeFilterTable, RefusesOlderFencesAndFailsWhenTold) {
  Faked faked;
  ASSERT_TRUE(faked.block(10s, 7).ok());
  EXPECT_EQ(faked.block(10s, 6).code(), base::ErrorCode::kRefused);
  ASSERT_TRUE(faked.run(faked.table.remove_all(faked.clock.now())).ok());
  faked.table.script({Fault::kUnavailable, Fault::kUnknownNotDone, Fault::kUnknownDone});
  EXPECT_EQ(faked.block(10s).code(), base::ErrorCode::kUnavailable);
  EXPECT_EQ(faked.block(10s).code(), base::ErrorCode::kUnknown);
  EXPECT_TRUE(faked.filters().empty());
  EXPECT_EQ(faked.block(10s).code(), base::ErrorCode::kUnknown);
  EXPECT_EQ(faked.filters().size(), 1u);
  EXPECT_TRUE(faked.block(10s).ok());
}

}  // namespace
}  // namespace agent::filter
