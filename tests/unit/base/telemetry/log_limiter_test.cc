#include "base/telemetry/log_limiter.h"

#include <gtest/gtest.h>

namespace base::log {
namespace {

constexpr Instant kStart{1'000'000'000'000};

LogLimiter::Call about(const char* event, std::string_view backend = "") {
  return {Level::kWarn, event, backend.empty() ? "" : "backend", backend};
}

int admitted(LogLimiter& limiter, const LogLimiter::Call& call, Instant now, int calls) {
  int count = 0;
  for (int i = 0; i < calls; ++i) count += limiter.admit(call, now) == Verdict::kAdmitted;
  return count;
}

TEST(LogLimiter, AdmitsTheFirstLineAndABurstOfFive) {
  LogLimiter limiter;
  EXPECT_EQ(admitted(limiter, about("down"), kStart, 1000), 6);
}

TEST(LogLimiter, EarnsOneLineASecondUpToTheBurst) {
  LogLimiter limiter;
  admitted(limiter, about("down"), kStart, 1000);
  EXPECT_EQ(admitted(limiter, about("down"), kStart + 900ms, 10), 0);
  EXPECT_EQ(admitted(limiter, about("down"), kStart + 1s, 10), 1);
  EXPECT_EQ(admitted(limiter, about("down"), kStart + 4s, 10), 3);
  EXPECT_EQ(admitted(limiter, about("down"), kStart + 1000s, 10), 5);
}

TEST(LogLimiter, FractionsOfASecondAddUp) {
  LogLimiter limiter;
  admitted(limiter, about("down"), kStart, 1000);
  int count = 0;
  for (int i = 1; i <= 100; ++i) count += admitted(limiter, about("down"), kStart + i * 100ms, 5);
  EXPECT_NEAR(count, 10, 1);
}

TEST(LogLimiter, KeysAndEventsHaveBucketsOfTheirOwn) {
  LogLimiter limiter;
  EXPECT_EQ(admitted(limiter, about("down", "a"), kStart, 50), 6);
  EXPECT_EQ(admitted(limiter, about("down", "b"), kStart, 50), 6);
  EXPECT_EQ(admitted(limiter, about("down"), kStart, 50), 6);
  EXPECT_EQ(admitted(limiter, about("slow", "a"), kStart, 50), 6);
  EXPECT_EQ(admitted(limiter, {Level::kWarn, "down", "client", "a"}, kStart, 50), 6);
}

TEST(LogLimiter, ProcessNeverWritesMoreThanAHundredLinesInAnySecond) {
  LogLimiter limiter;
  std::vector<Instant> lines;
  for (int ms = 0; ms < 3000; ++ms) {
    const Instant now = kStart + ms * 1ms;
    const std::string key = "backend-" + std::to_string(ms % 500);
    for (int i = 0; i < 3; ++i) {
      if (limiter.admit(about("down", key), now) == Verdict::kAdmitted) lines.push_back(now);
    }
  }
  EXPECT_EQ(lines.size(), 300u);
  for (size_t i = 100; i < lines.size(); ++i) EXPECT_GE(lines[i] - lines[i - 100], 1s);
}

TEST(LogLimiter, SaysWhetherTheKeyOrTheProcessWasTooLoud) {
  LogLimiter limiter;
  admitted(limiter, about("down"), kStart, 6);
  EXPECT_EQ(limiter.admit(about("down"), kStart), Verdict::kKeyRate);
  for (int i = 0; i < 94; ++i) limiter.admit(about("x", std::to_string(i)), kStart);
  EXPECT_EQ(limiter.admit(about("new"), kStart), Verdict::kProcessRate);
  // The process's refusal cost the key nothing.
  EXPECT_EQ(admitted(limiter, about("new"), kStart + 1s, 10), 6);
}

TEST(LogLimiter, SummarisesWhenTheBurstHasEnded) {
  LogLimiter limiter;
  admitted(limiter, about("down", "amber-backend-1"), kStart, 1006);
  EXPECT_TRUE(limiter.sweep(kStart + 500ms).empty());
  const auto summaries = limiter.sweep(kStart + 1s);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_STREQ(summaries[0].event, "down");
  EXPECT_EQ(summaries[0].key_name, "backend");
  EXPECT_EQ(summaries[0].key, "amber-backend-1");
  EXPECT_EQ(summaries[0].suppressed, 1000u);
  EXPECT_EQ(summaries[0].level, Level::kWarn);
  EXPECT_TRUE(limiter.sweep(kStart + 60s).empty());
}

TEST(LogLimiter, SummarisesEveryTenSecondsWhileABurstLasts) {
  LogLimiter limiter;
  std::vector<int> said;
  uint64_t total = 0;
  for (int second = 0; second <= 35; ++second) {
    admitted(limiter, about("down"), kStart + second * 1s, 100);
    for (const auto& summary : limiter.sweep(kStart + second * 1s)) {
      said.push_back(second);
      total += summary.suppressed;
    }
  }
  EXPECT_EQ(said, (std::vector<int>{10, 20, 30}));
  EXPECT_GT(total, 2900u);
}

TEST(LogLimiter, EveryCallIsAdmittedOrInExactlyOneSummary) {
  LogLimiter limiter;
  uint64_t calls = 0, written = 0, summarised = 0;
  for (int ms = 0; ms < 20'000; ms += 7) {
    const Instant now = kStart + ms * 1ms;
    for (int i = 0; i < 5; ++i) {
      const std::string key = std::to_string((ms * 31 + i) % 3000);
      ++calls;
      written += limiter.admit(about("down", key), now) == Verdict::kAdmitted;
    }
    if (ms % 1001 == 0) {
      for (const auto& summary : limiter.sweep(now)) summarised += summary.suppressed;
    }
  }
  for (const auto& summary : limiter.drain()) summarised += summary.suppressed;
  EXPECT_EQ(written + summarised, calls);
}

TEST(LogLimiter, SummariesCountAsLinesAndWaitTheirTurn) {
  LogLimiter limiter;
  for (int i = 0; i < 90; ++i) {
    admitted(limiter, about("down", std::to_string(i)), kStart + i * 1s, 8);
  }
  const Instant later = kStart + 100s;
  std::vector<LogLimiter::Summary> first = limiter.sweep(later);
  ASSERT_EQ(first.size(), LogLimiter::kSummariesPerSweep);
  EXPECT_EQ(first[0].key, "0");  // the longest unsaid
  EXPECT_EQ(limiter.sweep(later + 1s).size(), LogLimiter::kSummariesPerSweep);

  LogLimiter busy;
  admitted(busy, about("down"), kStart, 50);
  for (int i = 0; i < 100; ++i) busy.admit(about("x", std::to_string(i)), kStart + 2s);
  EXPECT_TRUE(busy.sweep(kStart + 2s).empty());
}

TEST(LogLimiter, TableOfKeysIsBoundedAndFurtherKeysShareTheirEventsEntry) {
  LogLimiter limiter;
  Instant now = kStart;
  for (int i = 0; i < 100'000; ++i) {
    now = now + 1ms;
    limiter.admit(about("flood", "client-" + std::to_string(i)), now);
  }
  EXPECT_EQ(limiter.keys(), LogLimiter::kKeys + 1);
  now = now + 10s;
  EXPECT_EQ(admitted(limiter, about("flood", "one"), now, 10), 5);
  EXPECT_EQ(admitted(limiter, about("flood", "two"), now, 10), 0);
}

TEST(LogLimiter, ForgetsKeysThatHaveBeenSilent) {
  LogLimiter limiter;
  limiter.admit(about("down", "a"), kStart);
  limiter.sweep(kStart + 59s);
  EXPECT_EQ(limiter.keys(), 1u);
  limiter.sweep(kStart + 60s);
  EXPECT_EQ(limiter.keys(), 0u);
}

}  // namespace
}  // namespace base::log
