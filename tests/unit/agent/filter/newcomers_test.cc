#include "agent/filter/newcomers.h"

#include <gtest/gtest.h>

#include "base/core/check.h"
#include "tests/support/temp_dir.h"

namespace agent::filter {
namespace {

using namespace std::chrono_literals;
using base::telemetry::kNewcomerSlots;
using base::telemetry::SegmentReader;
using base::telemetry::SegmentWriter;
using base::telemetry::TurnGuard;
using base::telemetry::WorkerBlock;

Subject client(uint64_t number) {
  return Subject::of(std::array<uint64_t, 2>{0, 0xffff'0a00'0000ULL + number});
}

// A proxy of two workers, as the agent's reader sees it.
struct Proxy {
  std::unique_ptr<SegmentWriter> writer;
  std::unique_ptr<SegmentReader> reader;

  Proxy(const test::TempDir& dir, const std::string& name) {
    auto created = SegmentWriter::create(dir.file(name), name, "amber", 2);
    CHECK(created.ok());
    writer = std::move(*created);
    auto opened = SegmentReader::open(dir.file(name));
    CHECK(opened.ok());
    reader = std::move(*opened);
  }
  // As the proxy's ClientTelemetry does.
  void authenticate(uint32_t worker, uint64_t number) {
    WorkerBlock& block = writer->worker(worker);
    const TurnGuard turn(block);
    auto& entry = block.newcomers[block.newcomers_written.get() % kNewcomerSlots];
    entry.address[0].set(0);
    entry.address[1].set(0xffff'0a00'0000ULL + number);
    block.newcomers_written.add();
  }
};

struct Node {
  test::TempDir dir;
  AuthenticatedHistory history;
  base::WallTime wall{1'796'000'000'000'000'000};
  base::Instant now{1};
  uint64_t mark = 1;

  NewcomerRound round(const std::vector<NewcomerSource>& sources) {
    wall = wall + 100ms;
    now = now + 100ms;
    return read_newcomers({mark, sources}, wall, now, history);
  }
  HistoryGap gap_in_seven_days(const std::vector<NewcomerSource>& sources) {
    wall = wall + 7 * base::Duration(24h);
    now = now + 7 * base::Duration(24h);
    round(sources);
    return history.may_block(wall).gap;
  }
};

TEST(Newcomers, AreReadOnceFromEveryWorkerOfEveryProxy) {
  Node node;
  Proxy one(node.dir, "one"), two(node.dir, "two");
  const std::vector<NewcomerSource> sources = {{one.reader.get(), false},
                                               {two.reader.get(), false}};
  one.authenticate(0, 1);
  one.authenticate(1, 2);
  two.authenticate(1, 3);
  NewcomerRound round = node.round(sources);
  EXPECT_TRUE(round.is_complete);
  EXPECT_EQ(round.newcomers, (std::vector<Subject>{client(1), client(2), client(3)}));
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(node.history.contains(client(i))) << i;
  EXPECT_FALSE(node.history.contains(client(4)));
  two.authenticate(1, 4);
  round = node.round(sources);
  EXPECT_EQ(round.newcomers, (std::vector<Subject>{client(4)}));
}

TEST(Newcomers, AreNotMissedWhileAWorkerIsInATurn) {
  Node node;
  Proxy proxy(node.dir, "one");
  const std::vector<NewcomerSource> sources = {{proxy.reader.get(), false}};
  proxy.authenticate(0, 1);
  {
    const TurnGuard turn(proxy.writer->worker(0));
    EXPECT_FALSE(node.round(sources).is_complete);
    EXPECT_EQ(node.history.may_block(node.wall).gap, HistoryGap::kNew);
  }
  EXPECT_TRUE(node.round(sources).is_complete);
  EXPECT_TRUE(node.history.contains(client(1)));
}

TEST(Newcomers, OfAProxyThatCannotBeReadMakeNoRound) {
  Node node;
  Proxy proxy(node.dir, "one");
  EXPECT_FALSE(node.round({{proxy.reader.get(), false}, {nullptr, false}}).is_complete);
}

TEST(Newcomers, ThatWereOverwrittenForbidBlocking) {
  Node node;
  Proxy proxy(node.dir, "one");
  const std::vector<NewcomerSource> sources = {{proxy.reader.get(), false}};
  node.round(sources);
  ASSERT_EQ(node.gap_in_seven_days(sources), HistoryGap::kNone);
  for (uint64_t i = 0; i <= kNewcomerSlots; ++i) proxy.authenticate(0, i);
  const NewcomerRound round = node.round(sources);
  EXPECT_TRUE(round.is_complete);
  EXPECT_EQ(round.newcomers.size(), kNewcomerSlots);
  EXPECT_EQ(node.history.may_block(node.wall).gap, HistoryGap::kOverflow);
}

TEST(Newcomers, OfAProxyThatEndedAreItsLastWords) {
  Node node;
  Proxy old(node.dir, "one"), next(node.dir, "two");
  node.round({{old.reader.get(), false}});
  ASSERT_EQ(node.gap_in_seven_days({{old.reader.get(), false}}), HistoryGap::kNone);
  old.authenticate(0, 1);
  node.round({{old.reader.get(), true}, {next.reader.get(), false}});
  EXPECT_TRUE(node.history.contains(client(1)));
  node.round({{next.reader.get(), false}});
  EXPECT_EQ(node.history.may_block(node.wall).gap, HistoryGap::kNone);
}

TEST(Newcomers, OfAProxyThatVanishedForbidBlocking) {
  Node node;
  Proxy old(node.dir, "one"), next(node.dir, "two");
  node.round({{old.reader.get(), false}});
  ASSERT_EQ(node.gap_in_seven_days({{old.reader.get(), false}}), HistoryGap::kNone);
  node.round({{next.reader.get(), false}});
  EXPECT_EQ(node.history.may_block(node.wall).gap, HistoryGap::kRingGone);
}

TEST(Newcomers, OfAProxyThatNobodySawLeaveAMark) {
  test::TempDir dir;
  const std::string place = dir.file("");
  Proxy stays(dir, "one");
  const uint64_t before = mark_of_starts(place);
  EXPECT_NE(before, 0u);
  stays.authenticate(0, 1);
  EXPECT_EQ(mark_of_starts(place), before) << "what it counts is none";
  // The kernel's clock for files ticks every few milliseconds: until it has, once more.
  base::SystemClock clock;
  const base::Instant deadline = clock.now() + 10s;
  while (mark_of_starts(place) == before && clock.now() < deadline) Proxy(dir, "two");
  EXPECT_NE(mark_of_starts(place), before);
  EXPECT_EQ(mark_of_starts(dir.file("nowhere")), 0u);
}

TEST(Newcomers, OfAProxyThatCameAndWentWhileTheAgentWasAwayForbidBlocking) {
  for (const bool has_changed : {false, true}) {
    Node node;
    Proxy proxy(node.dir, "one");
    const std::vector<NewcomerSource> sources = {{proxy.reader.get(), false}};
    node.round(sources);
    ASSERT_EQ(node.gap_in_seven_days(sources), HistoryGap::kNone);
    auto loaded = AuthenticatedHistory::load(node.history.serialize(), node.history.options());
    ASSERT_TRUE(loaded.ok());
    AuthenticatedHistory next = std::move(*loaded);
    node.history = std::move(next);
    if (has_changed) node.mark = 2;
    node.round(sources);
    EXPECT_EQ(node.history.may_block(node.wall).gap,
              has_changed ? HistoryGap::kUnseen : HistoryGap::kNone);
  }
}

}  // namespace
}  // namespace agent::filter
