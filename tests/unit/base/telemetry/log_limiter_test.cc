#include "base/telemetry/log_limiter.h"

#include <gtest/gtest.h>

namespace base::log {
namespace {

constexpr Instant kStart{1'000'000'000'000};

struct About {
  const char* event;
  std::string_view backend;
  std::string_view key_name;
};
About about(const char* event, std::string_view backend = "",
            std::string_view key_name = "backend") {
  return {event, backend, key_name};
}

LogLimiter::Decision ask(LogLimiter& limiter, const About& about, Instant now) {
  LogLimiter::Call call{Level::kWarn, limiter.event_number(about.event), 0, "", ""};
  if (!about.backend.empty()) {
    call.key_name = about.key_name;
    call.key = about.backend;
    call.fingerprint = fingerprint_of(about.backend, call.event);
  }
  return limiter.admit(call, now);
}
bool admits(LogLimiter& limiter, const About& about, Instant now) {
  return ask(limiter, about, now).verdict == Verdict::kAdmitted;
}

int admitted(LogLimiter& limiter, const About& about, Instant now, int calls) {
  int count = 0;
  for (int i = 0; i < calls; ++i) count += admits(limiter, about, now) ? 1 : 0;
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
}

TEST(LogLimiter, AnEventWritesSixtyFourLinesAndTenASecondOverAllItsKeys) {
  LogLimiter limiter;
  const auto of_all = [&](Instant now) {
    int count = 0;
    for (int i = 0; i < 500; ++i) {
      count += admits(limiter, about("down", "backend-" + std::to_string(i)), now) ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(of_all(kStart), 64);
  EXPECT_EQ(of_all(kStart + 1s), 10);
  EXPECT_EQ(of_all(kStart + 1s), 0);
}

constexpr const char* kNoisy[] = {"e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e9"};

TEST(LogLimiter, ProcessNeverWritesMoreThanAHundredLinesInAnySecond) {
  LogLimiter limiter;
  std::vector<Instant> lines;
  for (int ms = 0; ms < 3000; ++ms) {
    const Instant now = kStart + ms * 1ms;
    const std::string key = "backend-" + std::to_string(ms % 100);
    for (const char* event : kNoisy) {
      if (admits(limiter, about(event, key), now)) lines.push_back(now);
    }
  }
  EXPECT_GE(lines.size(), 240u);
  EXPECT_LE(lines.size(), 300u);
  for (size_t i = 100; i < lines.size(); ++i) EXPECT_GE(lines[i] - lines[i - 100], 1s);
}

TEST(LogLimiter, KeepsRoomForEventsThatHaveBeenSilent) {
  LogLimiter limiter;
  int noise = 0;
  for (int i = 0; i < 100; ++i) {
    noise += admitted(limiter, about(kNoisy[i % 3], std::to_string(i)), kStart, 3);
  }
  EXPECT_EQ(noise, 80);
  EXPECT_TRUE(admits(limiter, about("quiet_so_far"), kStart));
  EXPECT_FALSE(admits(limiter, about("quiet_so_far"), kStart));
}

TEST(LogLimiter, SaysWhetherTheKeyOrTheProcessWasTooLoudAndForHowLong) {
  LogLimiter limiter;
  admitted(limiter, about("down"), kStart, 6);
  EXPECT_EQ(ask(limiter, about("down"), kStart).verdict, Verdict::kKeyRate);
  EXPECT_EQ(ask(limiter, about("down"), kStart + 300ms).holds, 700ms);
  for (int i = 0; i < 94; ++i) {
    admits(limiter, about(kNoisy[i % 2], std::to_string(i)), kStart + 300ms);
  }
  admits(limiter, about("new", "a"), kStart + 300ms);
  const LogLimiter::Decision refused = ask(limiter, about("new", "b"), kStart + 300ms);
  EXPECT_EQ(refused.verdict, Verdict::kProcessRate);
  EXPECT_EQ(refused.holds, 700ms);
  // The process's refusal cost the key nothing.
  EXPECT_EQ(admitted(limiter, about("new", "b"), kStart + 2s, 10), 6);
}

TEST(LogLimiter, SummarisesWhenTheBurstHasEnded) {
  LogLimiter limiter;
  admitted(limiter, about("down", "amber-backend-1"), kStart, 1006);
  EXPECT_TRUE(limiter.sweep(kStart + 500ms).empty());
  const auto summaries = limiter.sweep(kStart + 1s);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_STREQ(summaries[0].event, "down");
  EXPECT_EQ(summaries[0].key_name, "backend");
  EXPECT_EQ(summaries[0].keys, 1u);
  EXPECT_EQ(summaries[0].key, "amber-backend-1");
  EXPECT_EQ(summaries[0].first, kStart);
  EXPECT_EQ(summaries[0].last, kStart);
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
      written += admits(limiter, about("down", key), now);
    }
    if (ms % 1001 == 0) {
      for (const auto& summary : limiter.sweep(now)) summarised += summary.suppressed;
    }
  }
  for (const auto& summary : limiter.drain()) summarised += summary.suppressed;
  EXPECT_EQ(written + summarised, calls);
}

TEST(LogLimiter, ASummarySpeaksForAllKeysOfItsEvent) {
  LogLimiter limiter;
  for (int i = 0; i < 1200; ++i) {
    admits(limiter, about("down", "backend-" + std::to_string(i % 12)), kStart + i * 1ms);
  }
  const auto summaries = limiter.sweep(kStart + 3s);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(summaries[0].keys, 12u);
  EXPECT_FALSE(summaries[0].estimated);
  EXPECT_EQ(summaries[0].key, "");
  EXPECT_EQ(summaries[0].last, kStart + 1199ms);
  // The next one counts afresh.
  admitted(limiter, about("down", "backend-7"), kStart + 4s, 100);
  const auto next = limiter.sweep(kStart + 6s);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].keys, 1u);
  EXPECT_EQ(next[0].key, "backend-7");
}

TEST(LogLimiter, EstimatesHowManyKeysThereAreWhenTheyAreTooManyToTellApart) {
  for (const int keys : {2'000, 20'000, 200'000}) {
    LogLimiter limiter;
    for (int i = 0; i < keys; ++i) {
      admitted(limiter, about("flood", "client-" + std::to_string(i)), kStart, 2);
    }
    const auto summaries = limiter.sweep(kStart + 2s);
    ASSERT_EQ(summaries.size(), 1u);
    EXPECT_TRUE(summaries[0].estimated);
    EXPECT_NEAR(static_cast<double>(summaries[0].keys), keys, keys * 0.1);
  }
}

TEST(LogLimiter, CountsWhatTheGateRefused) {
  LogLimiter limiter;
  admitted(limiter, about("down", "a"), kStart, 6);
  const LogLimiter::Decision refused = ask(limiter, about("down", "a"), kStart);
  limiter.count(limiter.event_of(refused.key), refused.key, 1'000'000, kStart + 900ms);
  const auto summaries = limiter.drain();
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(summaries[0].suppressed, 1'000'001u);
  EXPECT_EQ(summaries[0].last, kStart + 900ms);
  EXPECT_EQ(limiter.suppressed(), 1'000'001u);
}

TEST(LogLimiter, SummariesCountAsLinesAndWaitTheirTurn) {
  LogLimiter limiter;
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) names.push_back("event_" + std::to_string(i));
  for (int i = 0; i < 50; ++i) {
    admitted(limiter, about(names[static_cast<size_t>(i)].c_str()), kStart + i * 1s, 8);
  }
  const Instant later = kStart + 100s;
  const auto first = limiter.sweep(later);
  ASSERT_EQ(first.size(), LogLimiter::kSummariesPerSweep);
  EXPECT_STREQ(first[0].event, "event_0");  // the longest unsaid
  EXPECT_EQ(limiter.sweep(later + 1s).size(), LogLimiter::kSummariesPerSweep);

  LogLimiter busy;
  admitted(busy, about("down"), kStart, 50);
  for (int i = 0; i < 200; ++i) {
    admits(busy, about(kNoisy[i % 3], std::to_string(i)), kStart + 2s);
  }
  for (size_t i = 0; i < 20; ++i) admits(busy, about(names[i].c_str()), kStart + 2s);
  EXPECT_TRUE(busy.sweep(kStart + 2s).empty());
}

TEST(LogLimiter, TablesAreBoundedAndWhatIsBeyondShares) {
  LogLimiter limiter;
  Instant now = kStart;
  for (int i = 0; i < 100'000; ++i) {
    now = now + 1ms;
    admits(limiter, about("flood", "client-" + std::to_string(i)), now);
  }
  EXPECT_EQ(limiter.keys(), LogLimiter::kEventKeys);
  for (int i = 0; i < 5000; ++i) {
    admits(limiter, about(kNoisy[i % 10], "client-" + std::to_string(i)), now);
  }
  EXPECT_EQ(limiter.keys(), LogLimiter::kKeys);
  now = now + 10s;
  EXPECT_EQ(admitted(limiter, about("flood", "one"), now, 10), 5);
  EXPECT_EQ(admitted(limiter, about("flood", "two"), now, 10), 0);

  std::vector<std::string> names;
  for (size_t i = 0; i < 2 * kEvents; ++i) names.push_back("event_" + std::to_string(i));
  for (const std::string& name : names) limiter.event_number(name.c_str());
  EXPECT_NE(limiter.event_number("event_7"), 0);
  EXPECT_EQ(limiter.event_number("event_400"), 0);
}

TEST(LogLimiter, ForgetsKeysThatHaveBeenSilent) {
  LogLimiter limiter;
  admits(limiter, about("down", "a"), kStart);
  limiter.sweep(kStart + 59s);
  EXPECT_EQ(limiter.keys(), 1u);
  limiter.sweep(kStart + 60s);
  EXPECT_EQ(limiter.keys(), 0u);
}

}  // namespace
}  // namespace base::log
