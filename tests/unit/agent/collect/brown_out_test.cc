// The agent's budgets on virtual time: when it does less, how much less, and when all again.
#include "agent/collect/brown_out.h"

#include <gtest/gtest.h>

namespace agent::collect {
namespace {

using namespace std::chrono_literals;

class BrownOutTest : public testing::Test {
 protected:
  static Burden quiet() {
    Burden burden;
    burden.cpu_share = 0.004;
    burden.memory_bytes = 20u << 20;
    burden.host_cpu_share = 0.3;
    burden.late = 100us;
    return burden;
  }
  static Burden full_host(base::Duration late) {
    Burden burden = quiet();
    burden.host_cpu_share = 1;
    burden.late = late;
    return burden;
  }
  // Seconds until the level was first `level`, at most `patience`; -1: never.
  int seconds_until(Frugality level, const Burden& burden, int patience) {
    for (int second = 1; second <= patience; ++second) {
      pass(burden, 1);
      if (brown_out_.level() == level) return second;
    }
    return -1;
  }
  void pass(const Burden& burden, int seconds) {
    for (int i = 0; i < seconds; ++i) {
      now_ = now_ + 1s;
      changes_ += brown_out_.observe(now_, burden) ? 1 : 0;
    }
  }

  BrownOut brown_out_;
  base::Instant now_{1'000'000'000};
  int changes_ = 0;
};

TEST_F(BrownOutTest, DoesEverythingOnAQuietHost) {
  pass(quiet(), 3600);
  EXPECT_EQ(brown_out_.level(), Frugality::kFull);
  EXPECT_EQ(changes_, 0);
  EXPECT_EQ(brown_out_.why(), "");
}

TEST_F(BrownOutTest, IgnoresAShortPeakOfTheHost) {
  pass(quiet(), 20);
  pass(full_host(300ms), 5);
  pass(quiet(), 60);
  EXPECT_EQ(changes_, 0);
}

TEST_F(BrownOutTest, SparesAFullHostAndStillLooksEverywhere) {
  pass(quiet(), 20);
  EXPECT_LE(seconds_until(Frugality::kSparing, full_host(1ms), 30), 10);
  pass(full_host(1ms), 600);
  EXPECT_EQ(brown_out_.level(), Frugality::kSparing) << "woken in time: no further";
  EXPECT_EQ(brown_out_.pace().telemetry, pace_of(Frugality::kFull).telemetry);
  EXPECT_EQ(brown_out_.pace().probe, pace_of(Frugality::kFull).probe);
  EXPECT_EQ(brown_out_.why(), "the host's cores are 100 % busy and the agent is woken 1.0 ms late");
}

TEST_F(BrownOutTest, GoesFurtherTheLaterItIsWoken) {
  pass(quiet(), 20);
  EXPECT_LE(seconds_until(Frugality::kLean, full_host(60ms), 30), 10);
  EXPECT_LE(seconds_until(Frugality::kEssential, full_host(400ms), 30), 10);
}

TEST_F(BrownOutTest, ComesBackStepByStepOnceItIsCalm) {
  pass(quiet(), 20);
  pass(full_host(400ms), 30);
  ASSERT_EQ(brown_out_.level(), Frugality::kEssential);
  const int lean = seconds_until(Frugality::kLean, quiet(), 60);
  EXPECT_GE(lean, 10);
  EXPECT_LE(lean, 25);
  const int sparing = seconds_until(Frugality::kSparing, quiet(), 60);
  EXPECT_GE(sparing, 9);
  EXPECT_LE(seconds_until(Frugality::kFull, quiet(), 60), 11);
  EXPECT_EQ(brown_out_.why(), "");
}

TEST_F(BrownOutTest, TakesOneStepForABudgetWhileTheHostHasCoresToSpare) {
  Burden dear = quiet();
  dear.cpu_share = 0.03;
  pass(dear, 9);
  EXPECT_EQ(brown_out_.level(), Frugality::kFull);
  pass(dear, 1);
  EXPECT_EQ(brown_out_.level(), Frugality::kSparing);
  EXPECT_EQ(brown_out_.why(), "the agent takes 3.0 % of a core, its budget is 1.0 %");
  pass(dear, 600);
  EXPECT_EQ(brown_out_.level(), Frugality::kSparing) << "trouble must be seen in time";
}

TEST_F(BrownOutTest, TakesOneStepAtATimeForABudgetOnAFullHost) {
  Burden dear = full_host(1ms);
  dear.cpu_share = 0.03;
  pass(dear, 10);
  EXPECT_EQ(brown_out_.level(), Frugality::kSparing);
  pass(dear, 9);
  EXPECT_EQ(brown_out_.level(), Frugality::kSparing);
  pass(dear, 1);
  EXPECT_EQ(brown_out_.level(), Frugality::kLean);
  pass(dear, 600);
  EXPECT_EQ(brown_out_.level(), Frugality::kEssential);
}

TEST_F(BrownOutTest, StaysWhereItKeepsItsBudgetOnlyJust) {
  Burden dear = quiet();
  dear.cpu_share = 0.03;
  pass(dear, 10);
  ASSERT_EQ(brown_out_.level(), Frugality::kSparing);
  Burden just = quiet();
  just.cpu_share = 0.009;
  pass(just, 600);
  EXPECT_EQ(brown_out_.level(), Frugality::kSparing) << "a step back would exceed it again";
}

TEST_F(BrownOutTest, KnowsEveryBudget) {
  Burden memory = quiet();
  memory.memory_bytes = 100u << 20;
  pass(memory, 11);
  EXPECT_EQ(brown_out_.why(), "the agent holds 100 MiB, its budget is 64 MiB");
  pass(memory, 600);
  EXPECT_EQ(brown_out_.level(), Frugality::kSparing) << "more would give no memory back";
  EXPECT_EQ(changes_, 1);
  BrownOut other;
  Burden disk = quiet();
  disk.disk_bytes_per_second = 4.0 * (1u << 20);
  for (int i = 1; i <= 11; ++i) other.observe(base::Instant{int64_t{1'000'000'000} * i}, disk);
  EXPECT_EQ(other.level(), Frugality::kSparing);
  EXPECT_EQ(other.why(), "the agent writes 4.00 MiB/s, its budget is 1.00 MiB/s");
}

TEST(Pace, OnlyGetsSlowerWithEachStep) {
  for (int level = 1; level < 4; ++level) {
    const Pace& fast = pace_of(Frugality(level - 1));
    const Pace& slow = pace_of(Frugality(level));
    EXPECT_GE(slow.telemetry, fast.telemetry);
    EXPECT_GE(slow.probe, fast.probe);
    EXPECT_GE(slow.echo, fast.echo);
    EXPECT_GE(slow.stats, fast.stats);
    EXPECT_GE(slow.processes, fast.processes);
    EXPECT_LE(slow.clients, fast.clients);
  }
}

}  // namespace
}  // namespace agent::collect
