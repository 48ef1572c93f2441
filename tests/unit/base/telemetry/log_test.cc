#include "base/telemetry/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

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
  const Totals during = totals();
  EXPECT_EQ(during.written + during.suppressed + during.dropped -
                (before.written + before.suppressed + before.dropped),
            80'000u);
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
}

TEST(Log, CacheNumberIsAKeyOfTheLimiter) {
  test::TempDir dir;
  ASSERT_TRUE(start(to_file(dir.file("log"))).ok());
  const Totals before = totals();
  for (int i = 0; i < 20; ++i) {
    warn("per_cache", {{"n", i}, {"cache", 1}});
    warn("per_cache", {{"n", i}, {"cache", 2}});
  }
  stop();
  EXPECT_EQ(totals().written - before.written, 12u);
}

}  // namespace
}  // namespace base::log
