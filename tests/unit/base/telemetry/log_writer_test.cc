#include "base/telemetry/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>

#include "tests/support/temp_dir.h"

namespace base::log {
namespace {

std::unique_ptr<LogWriter> open(const std::string& file, uint64_t max_bytes = 1u << 20,
                                std::function<void()> tick = nullptr) {
  auto writer = LogWriter::open(file, max_bytes, std::move(tick));
  EXPECT_TRUE(writer.ok()) << (writer.ok() ? "" : writer.error().to_string());
  return std::move(*writer);
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

TEST(LogWriter, WritesLinesInOrderAndFlushesOnStop) {
  test::TempDir dir;
  auto writer = open(dir.file("log"));
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(writer->push("line " + std::to_string(i) + "\n", LogWriter::Kind::kCall));
  }
  writer->stop(10s);
  EXPECT_EQ(writer->failed(), 0u);
  std::string expected;
  for (int i = 0; i < 500; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(content(dir.file("log")), expected);
  EXPECT_FALSE(writer->push("late\n", LogWriter::Kind::kCall));
}

TEST(LogWriter, AppendsToWhatIsThere) {
  test::TempDir dir;
  std::ofstream(dir.file("log")) << "before\n";
  auto writer = open(dir.file("log"));
  writer->push("after\n", LogWriter::Kind::kCall);
  writer->stop(10s);
  EXPECT_EQ(content(dir.file("log")), "before\nafter\n");
}

TEST(LogWriter, RotatesOnceBeyondTheLimit) {
  test::TempDir dir;
  auto writer = open(dir.file("log"), 30);
  for (const char* line : {"aaaaaaaaa\n", "bbbbbbbbb\n", "ccccccccc\n", "ddddddddd\n"}) {
    writer->push(line, LogWriter::Kind::kCall);
  }
  writer->stop(10s);
  EXPECT_EQ(content(dir.file("log.1")), "aaaaaaaaa\nbbbbbbbbb\nccccccccc\n");
  EXPECT_EQ(content(dir.file("log")), "ddddddddd\n");
}

TEST(LogWriter, FullDiskLosesLinesAndCountsTheCallsAmongThem) {
  auto writer = open("/dev/full");
  for (int i = 0; i < 10; ++i) writer->push("line\n", LogWriter::Kind::kCall);
  writer->push("summary\n", LogWriter::Kind::kSummary);
  writer->stop(10s);
  EXPECT_EQ(writer->failed(), 10u);
}

TEST(LogWriter, StuckReaderNeverBlocksPushOrStop) {
  test::TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  const int reader = ::open(dir.file("pipe").c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto writer = open(dir.file("pipe"));
  const std::string line(1000, 'x');
  uint64_t taken = 0, refused = 0;
  for (int i = 0; i < 5000; ++i) {
    ++(writer->push(line, LogWriter::Kind::kCall) ? taken : refused);
  }
  EXPECT_GE(refused, 5000u - LogWriter::kQueueLines - 80);  // a pipe holds 64 KiB
  writer->stop(10ms);
  EXPECT_GE(writer->failed(), LogWriter::kQueueLines - 80);
  EXPECT_LE(writer->failed(), taken);
  char drain[65536];  // lets the thread end
  while (::read(reader, drain, sizeof drain) > 0) {
  }
  ::close(reader);
}

TEST(LogWriter, TicksWhileIdle) {
  test::TempDir dir;
  std::mutex mutex;
  std::condition_variable changed;
  int ticks = 0;
  auto writer = open(dir.file("log"), 1u << 20, [&] {
    const std::lock_guard lock(mutex);
    ++ticks;
    changed.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, 10s, [&] { return ticks > 0; }));
  }
  writer->stop(10s);
}

TEST(LogWriter, SaysWhichFileItCannotWriteAndWhatToDo) {
  test::TempDir dir;
  const auto writer = LogWriter::open(dir.file("missing/log"), 1000, nullptr);
  ASSERT_FALSE(writer.ok());
  EXPECT_NE(writer.error().context.find("missing/log"), std::string::npos);
  EXPECT_NE(writer.error().context.find("log.file"), std::string::npos);
}

}  // namespace
}  // namespace base::log
