// One view, attacked: thousands of seeds against the product's rules, and each known mistake found.
//
//   MCGUARD_SIM_SEEDS=100000   more runs than the default
//   MCGUARD_SIM_SEED=4711      this one alone, with its timeline if it shows a violation
//   MCGUARD_SIM_EXPLAIN=1      the timelines of the mistakes too
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/simulation/one_view/run.h"

namespace one_view {
namespace {

constexpr uint64_t kRecoveryEvery = 16;

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(OneView, HoldsWhoeverStopsOrDies) {
  Tables tables;
  const uint64_t only = from_environment("MCGUARD_SIM_SEED", 0);
  const uint64_t first = only != 0 ? only : 1;
  const uint64_t last = only != 0 ? only : from_environment("MCGUARD_SIM_SEEDS", 1000);
  size_t reads = 0, epochs = 0, flushes = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    tables.trim();
    RunOptions options;
    options.seed = seed;
    options.recovery = seed % kRecoveryEvery == 0;
    const RunResult result = run(tables, options);
    ASSERT_FALSE(result.violation) << explain(tables, options);
    reads += result.reads_with_value;
    epochs += result.epochs - 1;
    flushes += result.flushes;
  }
  std::cout << "seeds " << first << " to " << last << ": " << reads << " reads with a value, "
            << epochs << " epochs, " << flushes << " flushes\n";
  // The attack must reach what it attacks.
  const uint64_t runs = last - first + 1;
  if (runs < 100) return;
  EXPECT_GT(reads, runs * 20);
  EXPECT_GT(epochs, runs);
  EXPECT_GT(flushes, runs / 3);
}

TEST(OneView, IsTheSameForTheSameSeed) {
  Tables tables;
  RunOptions options;
  options.seed = 7;
  options.tracing = true;
  const auto once = run(tables, options).timeline;
  EXPECT_FALSE(once.empty());
  EXPECT_EQ(once, run(tables, options).timeline);
}

struct Mistake {
  std::string name;
  void (*make)(Mutation&);
  uint64_t within;  // seeds
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.name;
}

class OneViewFinds : public testing::TestWithParam<Mistake> {};

TEST_P(OneViewFinds, TheMistake) {
  Tables tables;
  RunOptions options;
  GetParam().make(options.mutation);
  for (options.seed = 1; options.seed <= GetParam().within; ++options.seed) {
    tables.trim();
    if (!run(tables, options).violation) continue;
    std::cout << GetParam().name << ": found by seed " << options.seed << "\n";
    if (std::getenv("MCGUARD_SIM_EXPLAIN") != nullptr) std::cout << explain(tables, options);
    return;
  }
  FAIL() << GetParam().name << " was not found by " << GetParam().within << " seeds";
}

const Mistake kMistakes[] = {
    {"RecordsCountTooLong", [](Mutation& m) { m.fence_slack = std::chrono::milliseconds(2700); },
     3000},
    {"MovingSlotsAreServed", [](Mutation& m) { m.serve_moving = true; }, 3000},
    {"RepliesInFlightAreKept", [](Mutation& m) { m.keep_replies = true; }, 3000},
    {"JudgedByTheLastTick", [](Mutation& m) { m.judge_by_tick = true; }, 3000},
    {"AMissingRecordConfirms", [](Mutation& m) { m.confirm_missing = true; }, 3000},
    {"AcknowledgedBeforeInstalled", [](Mutation& m) { m.acknowledge_early = true; }, 3000},
    {"PreparedTableIsNotKept", [](Mutation& m) { m.forget_prepared = true; }, 3000},
    {"ARecordElsewhereFences", [](Mutation& m) { m.fence_anywhere = true; }, 3000},
    {"CommitDoesNotWait", [](Mutation& m) { m.commit_at_once = true; }, 3000},
    {"FlushDoesNotWait", [](Mutation& m) { m.flush_at_once = true; }, 3000},
    {"RecordsAreOverwritten", [](Mutation& m) { m.overwrite_record = true; }, 3000},
    {"StatusTellsWhatIsMerelyDurable", [](Mutation& m) { m.tell_durable = true; }, 9000},
    {"WritesAreTakenDuringAFlush", [](Mutation& m) { m.write_early = true; }, 3000},
    {"AFlushIsCompleteOnceDurable", [](Mutation& m) { m.complete_early = true; }, 3000},
    {"SinceIsReused", [](Mutation& m) { m.reuse_since = true; }, 3000},
};

INSTANTIATE_TEST_SUITE_P(Seeds, OneViewFinds, testing::ValuesIn(kMistakes),
                         [](const auto& mistake) { return mistake.param.name; });

}  // namespace
}  // namespace one_view
