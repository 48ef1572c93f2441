#include "agent/filter/history.h"

#include <gtest/gtest.h>

#include "base/core/hash.h"
#include "base/telemetry/segment.h"

namespace agent::filter {
namespace {

using base::Duration;
using base::WallTime;
using namespace std::chrono_literals;

constexpr WallTime kBegin{1'796'000'000'000'000'000};
constexpr Duration kDay = 24h;
constexpr uint64_t kSlots = base::telemetry::kNewcomerSlots;

Subject nth(uint32_t i) {
  return Subject::of(std::array<uint64_t, 2>{0, 0xffff'0a00'0000ULL + i});
}

HistoryOptions small() {
  HistoryOptions options;
  options.addresses_a_day = 1000;
  return options;
}

// A history with its two clocks; `ring` is one proxy worker's, `others` are further ones.
struct Remembering {
  AuthenticatedHistory history{small()};
  WallTime wall = kBegin;
  base::Instant now{1'000'000'000};
  RingState ring{1, 0};
  std::vector<RingState> others;
  uint64_t mark = 1;

  Remembering() { round(); }
  void pass(Duration d) {
    wall = wall + d;
    now = now + d;
  }
  std::vector<RingState> rings() const {
    std::vector<RingState> all = others;
    all.insert(all.begin(), ring);
    return all;
  }
  std::vector<RingNews> round(bool is_complete = true) {
    auto news = history.begin_round(rings(), mark);
    history.end_round(wall, now, is_complete);
    return news;
  }
  void authenticate(const Subject& subject) {
    ++ring.written;
    history.begin_round(rings(), mark);
    history.insert(subject, wall);
    history.end_round(wall, now, true);
  }
  void pass_in_rounds(Duration d) {
    for (Duration passed{0}; passed < d; passed += 1h) {
      pass(1h);
      round();
    }
  }
  HistoryGap gap() const { return history.may_block(wall).gap; }
  void restart() {
    auto loaded = AuthenticatedHistory::load(history.serialize(), history.options());
    ASSERT_TRUE(loaded.ok()) << loaded.error().context;
    AuthenticatedHistory fresh = std::move(*loaded);
    history = std::move(fresh);
  }
};

TEST(History, AllowsBlockingAfterSevenWholeDays) {
  Remembering bench;
  EXPECT_EQ(bench.gap(), HistoryGap::kNew);
  bench.pass_in_rounds(7 * kDay - 1h);
  EXPECT_EQ(bench.gap(), HistoryGap::kNew);
  EXPECT_EQ(bench.history.may_block(bench.wall).may_block_from, kBegin + 7 * kDay);
  bench.pass_in_rounds(1h);
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
}

TEST(History, KnowsWhoAuthenticatedForSevenDaysAndForgetsAfterEight) {
  Remembering bench;
  bench.authenticate(nth(7));
  bench.pass_in_rounds(7 * kDay);
  EXPECT_TRUE(bench.history.contains(nth(7)));
  bench.pass_in_rounds(kDay);
  EXPECT_FALSE(bench.history.contains(nth(7)));
}

TEST(History, KnowsAnIpv6NetworkByAnyAddressInIt) {
  Remembering bench;
  bench.authenticate(*Subject::parse("2001:db8:0:1::7"));
  EXPECT_TRUE(bench.history.contains(*Subject::parse("2001:db8:0:1:ffff::9")));
  EXPECT_FALSE(bench.history.contains(*Subject::parse("2001:db8:0:2::7")));
}

TEST(History, ReadsEachRingFromWhereItStopped) {
  Remembering bench;
  bench.ring.written = 10;
  EXPECT_EQ(bench.round().front().first, 0u);
  bench.ring.written = 25;
  const auto news = bench.round();
  EXPECT_EQ(news.front().first, 10u);
  EXPECT_EQ(news.front().written, 25u);
  EXPECT_FALSE(news.front().is_overwritten);
}

TEST(History, BeginsAnewWhenARingWasOverwritten) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  bench.ring.written = kSlots;
  EXPECT_FALSE(bench.round().front().is_overwritten) << "just as many as it holds";
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
  bench.ring.written += kSlots + 1;
  const auto news = bench.round();
  EXPECT_TRUE(news.front().is_overwritten);
  EXPECT_EQ(news.front().first, bench.ring.written - kSlots);
  EXPECT_EQ(bench.gap(), HistoryGap::kOverflow);
  bench.pass_in_rounds(7 * kDay);
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
}

TEST(History, DoesNotCountARoundThatCouldNotReadAll) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  bench.ring.written = 10;
  bench.pass(4s);
  bench.round(false);
  EXPECT_EQ(bench.gap(), HistoryGap::kNone) << "what is known is fresh enough";
  bench.pass(2s);
  bench.round(false);
  EXPECT_EQ(bench.gap(), HistoryGap::kPause);
  EXPECT_EQ(bench.round().front().first, 0u) << "it is read again";
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
}

TEST(History, BeginsAnewWhenARingVanishedUnread) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  bench.ring = RingState{2, 0};
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kRingGone);
}

TEST(History, GoesOnWhenARingWasReadToItsEnd) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  bench.history.retire(bench.ring.ring);
  bench.ring = RingState{2, 0};
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
}

TEST(History, BeginsAnewWhenTheWallClockIsSet) {
  for (const Duration jump : {Duration(3s), -Duration(3s), 9 * kDay, -9 * kDay}) {
    Remembering bench;
    bench.pass_in_rounds(8 * kDay);
    bench.pass(1s);
    bench.wall = bench.wall + jump;
    bench.round();
    EXPECT_EQ(bench.gap(), HistoryGap::kClockJump) << jump.count();
  }
}

TEST(History, GoesOnAfterAShortRestart) {
  Remembering bench;
  bench.authenticate(nth(7));
  bench.pass_in_rounds(7 * kDay - 1h);
  bench.authenticate(nth(8));
  bench.restart();
  bench.pass(59min);
  bench.now = base::Instant{5};  // the machine, too
  bench.ring.written += 3;
  const auto news = bench.round();
  EXPECT_EQ(news.front().first, bench.ring.written - 3);
  EXPECT_EQ(bench.history.may_block(bench.wall).known_since, kBegin);
  EXPECT_TRUE(bench.history.contains(nth(7)));
  EXPECT_TRUE(bench.history.contains(nth(8)));
  bench.pass_in_rounds(1h);
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
}

TEST(History, BeginsAnewAfterALongRestartOrWithAnEarlierClock) {
  for (const Duration away : {Duration(61min), -Duration(1h)}) {
    Remembering bench;
    bench.pass_in_rounds(8 * kDay);
    bench.restart();
    bench.wall = bench.wall + away;
    bench.round();
    EXPECT_EQ(bench.gap(), away > 0s ? HistoryGap::kPause : HistoryGap::kClockJump);
  }
}

TEST(History, BeginsAnewWhenARingOverflowedDuringARestart) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  bench.restart();
  bench.pass(1min);
  bench.ring.written += kSlots + 1;
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kOverflow);
}

// A proxy authenticates a client that nobody reads, or reads but does not save, and ends.
TEST(History, BeginsAnewWhenAProxyCameAndWentAroundARestart) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  const AuthenticatedHistory saved = bench.history;
  bench.pass(1s);
  bench.mark = 2;
  bench.others = {RingState{5, 1}};
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kNone) << "it was seen";
  EXPECT_NE(bench.history.mark(), saved.mark()) << "to be saved";
  bench.history = saved;  // killed before that
  bench.restart();
  bench.pass(10min);
  bench.mark = 3;
  bench.others.clear();
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kUnseen);
  bench.pass_in_rounds(7 * kDay);
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
}

TEST(History, BeginsAnewAfterARestartToAProxyThatIsNew) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  bench.restart();
  bench.others = {RingState{5, 0}};
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kUnseen) << "it may have had a predecessor";
}

TEST(History, BeginsAnewAfterARestartWhenNobodyCanTellWhatStarted) {
  Remembering bench;
  bench.mark = 0;
  bench.pass_in_rounds(1h);
  bench.mark = 1;
  bench.pass(1s);
  bench.round();
  bench.pass_in_rounds(8 * kDay);
  ASSERT_EQ(bench.gap(), HistoryGap::kNone);
  bench.restart();
  bench.mark = 0;
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kUnseen);
}

TEST(History, GoesOnAfterARestartThatSavedWhatStartedBeforeIt) {
  Remembering bench;
  bench.pass_in_rounds(8 * kDay);
  bench.mark = 2;
  bench.others = {RingState{5, 1}};
  bench.round();
  bench.restart();
  bench.pass(10min);
  bench.round();
  EXPECT_EQ(bench.gap(), HistoryGap::kNone);
}

TEST(History, BeginsAnewWhenAProxyStartedWhileNoRoundWasComplete) {
  for (const bool is_short : {true, false}) {
    Remembering bench;
    bench.pass_in_rounds(8 * kDay);
    bench.mark = 2;
    bench.pass(is_short ? 5s : 6s);
    bench.round();
    EXPECT_EQ(bench.gap(), is_short ? HistoryGap::kNone : HistoryGap::kUnseen);
  }
}

TEST(History, ForgetsNobodyWhenAnotherAgentsClockIsAhead) {
  for (const Duration ahead : {Duration(3s), Duration(8s), kDay, 3 * kDay, 9 * kDay}) {
    Remembering one, two;
    one.authenticate(nth(1));
    one.pass_in_rounds(7 * kDay);
    two.pass_in_rounds(7 * kDay);
    two.pass(ahead);
    two.round();
    ASSERT_EQ(one.gap(), HistoryGap::kNone);
    one.history.unite(&two.history);
    EXPECT_TRUE(one.history.contains(nth(1)) || one.gap() == HistoryGap::kMember);
    EXPECT_EQ(one.gap(), ahead > 7s ? HistoryGap::kMember : HistoryGap::kNone) << ahead.count();
  }
}

// Days of either side that share a slot are both kept.
TEST(History, KnowsUnitedTheDaysOfBothWhereTheyDiffer) {
  Remembering old, fresh;
  old.authenticate(nth(1));
  old.pass_in_rounds(kDay);
  fresh.pass_in_rounds(8 * kDay);
  fresh.authenticate(nth(2));
  fresh.history.unite(&old.history);
  EXPECT_TRUE(fresh.history.contains(nth(1)));
  EXPECT_TRUE(fresh.history.contains(nth(2)));
  EXPECT_EQ(fresh.gap(), HistoryGap::kPause) << "what both know ends with the older one";
}

TEST(History, KnowsUnitedWhatBothKnowOfTimeAndEitherKnowsOfAddresses) {
  Remembering one, two;
  one.authenticate(nth(1));
  two.authenticate(nth(2));
  one.pass_in_rounds(8 * kDay - 12h);
  two.pass_in_rounds(8 * kDay - 12h);
  two.ring.written += kSlots + 1;
  two.pass(1s);
  two.round();
  one.pass(1s);
  one.round();
  EXPECT_EQ(one.gap(), HistoryGap::kNone);
  one.authenticate(nth(3));
  two.authenticate(nth(4));
  one.history.unite(&two.history);
  EXPECT_EQ(one.gap(), HistoryGap::kOverflow);
  EXPECT_TRUE(one.history.contains(nth(3)));
  EXPECT_TRUE(one.history.contains(nth(4)));
}

TEST(History, KnowsNothingWithoutAMember) {
  Remembering bench, other;
  bench.pass_in_rounds(8 * kDay);
  other.history = AuthenticatedHistory{};
  AuthenticatedHistory united = bench.history;
  united.unite(nullptr);
  EXPECT_EQ(united.may_block(bench.wall).gap, HistoryGap::kMember);
  united = bench.history;
  united.unite(&other.history);
  EXPECT_EQ(united.may_block(bench.wall).gap, HistoryGap::kMember) << "of another size";
  const AuthenticatedHistory empty{small()};
  united = bench.history;
  united.unite(&empty);
  EXPECT_EQ(united.may_block(bench.wall).gap, HistoryGap::kNew);
}

TEST(History, ErrsAsSeldomAsItSaysWhenEveryDayIsFull) {
  HistoryOptions options;
  options.addresses_a_day = 20'000;
  AuthenticatedHistory history(options);
  const size_t memory = history.memory_bytes();
  for (uint32_t day = 0; day < kDaysKept; ++day) {
    for (uint32_t i = 0; i < 20'000; ++i) {
      history.insert(nth(day * 20'000 + i), kBegin + day * kDay);
    }
  }
  uint32_t spared = 0;
  for (uint32_t i = 0; i < 100'000; ++i) spared += history.contains(nth(10'000'000 + i)) ? 1 : 0;
  EXPECT_LE(spared, 1'200u);
  EXPECT_NEAR(history.false_positive_rate(), 0.01, 0.002);
  for (uint32_t i = 0; i < 160'000; ++i) ASSERT_TRUE(history.contains(nth(i)));
  EXPECT_EQ(history.memory_bytes(), memory);
}

TEST(History, TakesTheMemoryThatIsDeclared) {
  EXPECT_LE(AuthenticatedHistory{}.memory_bytes(), 1'400'000u);
  HistoryOptions options;
  options.addresses_a_day = 1'000'000;
  EXPECT_LE(AuthenticatedHistory{options}.memory_bytes(), 14'000'000u);
}

TEST(BloomFilter, CountsItsMembersAbout) {
  BloomFilter filter(bloom_shape(1000, 0.01));
  for (uint32_t i = 0; i < 1000; ++i) filter.insert(nth(i));
  EXPECT_NEAR(static_cast<double>(filter.members()), 1000, 30);
  EXPECT_NEAR(filter.false_positive_rate(), 0.01, 0.003);
}

std::string file() {
  Remembering bench;
  bench.authenticate(nth(7));
  return bench.history.serialize();
}

TEST(HistoryFile, IsRefusedWhereverItIsCut) {
  const std::string whole = file();
  for (size_t size = 0; size < whole.size(); size += size < 300 ? 1 : 97) {
    EXPECT_FALSE(AuthenticatedHistory::load(whole.substr(0, size), small()).ok()) << size;
  }
  EXPECT_TRUE(AuthenticatedHistory::load(whole, small()).ok());
  EXPECT_FALSE(AuthenticatedHistory::load(whole + "x", small()).ok());
}

TEST(HistoryFile, IsRefusedWhicheverByteIsWrong) {
  const std::string whole = file();
  for (size_t at = 0; at < whole.size(); at += at < 300 ? 1 : 97) {
    std::string odd = whole;
    odd[at] = static_cast<char>(odd[at] ^ 0x10);
    EXPECT_FALSE(AuthenticatedHistory::load(odd, small()).ok()) << at;
  }
}

TEST(HistoryFile, SaysWhatIsWrong) {
  const std::string whole = file();
  const auto says = [](const std::string& bytes, const HistoryOptions& options) {
    return AuthenticatedHistory::load(bytes, options).error().context;
  };
  EXPECT_NE(says("", small()).find("truncated"), std::string::npos);
  EXPECT_NE(says("MCGHIST9" + whole.substr(8), small()).find("another version"), std::string::npos);
  EXPECT_NE(says(whole.substr(0, whole.size() - 9), small()).find("checksum"), std::string::npos);
  EXPECT_NE(says(whole, HistoryOptions{}).find("other options"), std::string::npos);
  EXPECT_NE(says(whole, HistoryOptions{}).find("counted for seven days"), std::string::npos);
}

}  // namespace
}  // namespace agent::filter
