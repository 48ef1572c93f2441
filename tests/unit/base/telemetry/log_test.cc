#include "base/telemetry/log.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "base/telemetry/log_limiter.h"
#include "tests/support/temp_dir.h"

namespace base::log {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

Options to_file(const std::string& path, Level level = Level::kInfo) {
  Options options;
  options.file = path;
  options.level = level;
  return options;
}

// The lines of one test count against the next one's budget of lines a second: until they do no more.
void await_budget() {
  const SystemClock clock;
  const Instant until = clock.now() + LogLimiter::kProcessWindow;
  while (clock.now() < until) std::this_thread::yield();
}

// Which no test has used, nor this one when it is repeated.
std::string another_key() {
  static int number = 0;
  return "backend-" + std::to_string(++number);
}

TEST(Log, WritesEventsAtOrAboveItsLevel) {
  test::TempDir dir;
  ASSERT_TRUE(start(to_file(dir.file("log"))).ok());
  debug("unseen", {{"n", 1}});
  info("seen", {{"n", 2}});
  error("seen_too");
  stop();
  const std::string text = content(dir.file("log"));
  EXPECT_EQ(text.find("unseen"), std::string::npos);
  EXPECT_NE(text.find("level=info event=seen n=2\n"), std::string::npos);
  EXPECT_NE(text.find("level=error event=seen_too\n"), std::string::npos);
}

TEST(Log, WritesJsonWhenAsked) {
  test::TempDir dir;
  Options options = to_file(dir.file("log"));
  options.json = true;
  ASSERT_TRUE(start(options).ok());
  info("json_event", {{"cache", 7}});
  stop();
  EXPECT_NE(content(dir.file("log")).find("\"event\":\"json_event\",\"cache\":7}\n"),
            std::string::npos);
}

uint64_t calls_since(const Totals& before) {
  const auto calls = [](const Totals& of) {
    return of.written + of.suppressed + of.dropped + of.queued;
  };
  return calls(totals()) - calls(before);
}

TEST(Log, TotalsAreExactWhileThreadsFlood) {
  test::TempDir dir;
  ASSERT_TRUE(start(to_file(dir.file("log"))).ok());
  const Totals before = totals();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 20'000; ++i) {
        warn("flood", {{"backend", std::to_string(t)}, {"n", i}});
        debug("below_the_level");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls_since(before), 80'000u);
  stop();
  const Totals after = totals();
  const std::string text = content(dir.file("log"));
  const auto lines = static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  uint64_t summaries = 0, said = 0;
  for (size_t at = 0; (at = text.find("suppressed=", at)) != std::string::npos; ++summaries) {
    said += std::stoull(text.substr(at += 11));
  }
  EXPECT_EQ(lines - summaries, after.written - before.written);
  EXPECT_EQ(said, after.suppressed - before.suppressed);
  EXPECT_EQ(after.dropped, before.dropped);
}

TEST(Log, LinesThatAFullDiskLosesCountAsDropped) {
  ASSERT_TRUE(start(to_file("/dev/full")).ok());
  const Totals before = totals();
  for (int i = 0; i < 4; ++i) warn("lost");
  stop();
  const Totals after = totals();
  EXPECT_EQ(after.written, before.written);
  EXPECT_EQ(after.dropped - before.dropped, 4u);
  EXPECT_EQ(after.queued, 0u);
}

TEST(Log, TotalsNeverFallWhenALineIsLostAfterAll) {
  await_budget();
  test::TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  const int reader = ::open(dir.file("pipe").c_str(), O_RDWR | O_NONBLOCK);
  while (::write(reader, "x", 1) == 1) {
  }
  ASSERT_TRUE(start(to_file(dir.file("pipe"))).ok());
  const Totals before = totals();
  warn("cannot_get_out");
  const Totals during = totals();
  EXPECT_EQ(during.written, before.written);
  EXPECT_EQ(during.queued, 1u);
  stop();
  const Totals after = totals();
  EXPECT_EQ(after.written, before.written);
  EXPECT_EQ(after.dropped - before.dropped, 1u);
  EXPECT_EQ(after.queued, 0u);
  ::close(reader);
}

// Of all lines of `text` with that event.
uint64_t said_of(const std::string& text, const std::string& event) {
  uint64_t said = 0;
  for (size_t at = 0;
       (at = text.find("event=" + event + " suppressed=", at)) != std::string::npos;) {
    at += event.size() + 18;
    said += std::stoull(text.substr(at));
  }
  return said;
}

TEST(Log, MillionsOfCallsFromManyThreadsAreCountedToTheLast) {
  test::TempDir dir;
  ASSERT_TRUE(start(to_file(dir.file("log"))).ok());
  const Totals before = totals();
  constexpr int kThreads = 3, kCalls = 1'000'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      std::vector<std::string> clients;
      for (int i = 0; i < 5000; ++i) clients.push_back("10.0." + std::to_string(i * 3 + t));
      for (int i = 0; i < kCalls; ++i) {
        error("plain_flood", {{"n", i}});
        error("cache_flood", {{"cache", i % 64}});
        error("client_flood", {{"client", clients[static_cast<size_t>(i) % clients.size()]}});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls_since(before), 3ull * kThreads * kCalls);
  stop();
  const Totals after = totals();
  EXPECT_EQ(calls_since(before), 3ull * kThreads * kCalls);
  const std::string text = content(dir.file("log"));
  const uint64_t said =
      said_of(text, "plain_flood") + said_of(text, "cache_flood") + said_of(text, "client_flood");
  EXPECT_EQ(said, after.suppressed - before.suppressed);
  EXPECT_NE(text.find(" caches=64 first="), std::string::npos) << text;
  EXPECT_NE(text.find(" clients=1"), std::string::npos) << text;
}

TEST(Log, GatesOpenAgainWithTime) {
  await_budget();
  const std::string key = another_key();
  test::TempDir dir;
  ASSERT_TRUE(start(to_file(dir.file("log"))).ok());
  const Totals before = totals();
  for (int i = 0; i < 1000; ++i) warn("opens_again", {{"backend", key}});
  const auto admitted = [&before] {
    const Totals now = totals();
    return now.written + now.queued - before.written;
  };
  EXPECT_EQ(admitted(), 6u);
  const SystemClock clock;
  const Instant deadline = clock.now() + 20s;
  while (admitted() < 8 && clock.now() < deadline) {
    for (int i = 0; i < 1000; ++i) warn("opens_again", {{"backend", key}});
  }
  EXPECT_GE(admitted(), 8u);
  stop();
}

TEST(Log, FloodIntoAStuckPipeIsCountedAndCostsTheCallerNothing) {
  test::TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  const int reader = ::open(dir.file("pipe").c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_TRUE(start(to_file(dir.file("pipe"))).ok());
  const Totals before = totals();
  for (int i = 0; i < 1'000'000; ++i) {
    error("into_the_void", {{"backend", "x"}, {"text", "some text"}});
    error("into_the_void", {{"client", i % 3000}});
  }
  stop();
  EXPECT_EQ(calls_since(before), 2'000'000u);
  ::close(reader);
}

TEST(Log, FieldsThatAreNotWrittenAreNotAskedForTheirText) {
  struct Loud {
    int* calls;
    std::string to_string() const { return std::to_string(++*calls); }
  };
  await_budget();
  const std::string key = another_key();
  test::TempDir dir;
  ASSERT_TRUE(start(to_file(dir.file("log"))).ok());
  int calls = 0;
  for (int i = 0; i < 1000; ++i) warn("loud", {{"backend", key}, {"what", Loud{&calls}}});
  stop();
  EXPECT_EQ(calls, 6);
}

TEST(Log, CacheNumberIsAKeyOfTheLimiter) {
  await_budget();
  static int first = 0;
  first += 2;
  test::TempDir dir;
  ASSERT_TRUE(start(to_file(dir.file("log"))).ok());
  const Totals before = totals();
  for (int i = 0; i < 20; ++i) {
    warn("per_cache", {{"n", i}, {"cache", first}});
    warn("per_cache", {{"n", i}, {"cache", first + 1}});
  }
  stop();
  EXPECT_EQ(totals().written - before.written, 12u);
}

}  // namespace
}  // namespace base::log
