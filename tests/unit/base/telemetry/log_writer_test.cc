#include "base/telemetry/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>

#include "tests/support/temp_dir.h"

namespace base::log {
namespace {

std::unique_ptr<LogWriter> open(const std::string& file, uint64_t max_bytes = 1u << 20,
                                std::function<Duration()> tick = nullptr, uint32_t files = 1) {
  Options options;
  options.file = file;
  options.max_bytes = max_bytes;
  options.files = files;
  auto writer = LogWriter::open(options, std::move(tick));
  EXPECT_TRUE(writer.ok()) << (writer.ok() ? "" : writer.error().to_string());
  return std::move(*writer);
}

// Counts the ticks of a writer, which come as seldom as `every` says.
class Ticks {
 public:
  explicit Ticks(Duration every) : every_(every) {}
  std::function<Duration()> teller() {
    return [this] {
      const std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
      return every_;
    };
  }
  // No tick is counted while it is held.
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }
  // Both under `lock`.
  int count() const { return count_; }
  template <class IsEnough>
  bool wait(std::unique_lock<std::mutex>& lock, IsEnough is_enough) {
    return changed_.wait_for(lock, 10s, [&] { return is_enough(count_); });
  }

 private:
  const Duration every_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

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
  EXPECT_EQ(writer->written(), 500u);
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

TEST(LogWriter, KeepsAsManyFilesAsAsked) {
  test::TempDir dir;
  auto writer = open(dir.file("log"), 10, nullptr, 3);
  for (const char* line :
       {"aaaaaaaaa\n", "bbbbbbbbb\n", "ccccccccc\n", "ddddddddd\n", "eeeeeeeee\n"}) {
    writer->push(line, LogWriter::Kind::kCall);
  }
  writer->stop(10s);
  EXPECT_EQ(content(dir.file("log")), "eeeeeeeee\n");
  EXPECT_EQ(content(dir.file("log.1")), "ddddddddd\n");
  EXPECT_EQ(content(dir.file("log.2")), "ccccccccc\n");
  EXPECT_EQ(content(dir.file("log.3")), "bbbbbbbbb\n");
  EXPECT_NE(::access(dir.file("log.4").c_str(), F_OK), 0);
  EXPECT_EQ(writer->failed(), 0u);
}

TEST(LogWriter, KeepsNoOldFileWhenNoneIsWanted) {
  test::TempDir dir;
  auto writer = open(dir.file("log"), 10, nullptr, 0);
  writer->push("aaaaaaaaa\n", LogWriter::Kind::kCall);
  writer->push("bbbbbbbbb\n", LogWriter::Kind::kCall);
  writer->stop(10s);
  EXPECT_EQ(content(dir.file("log")), "bbbbbbbbb\n");
  EXPECT_NE(::access(dir.file("log.1").c_str(), F_OK), 0);
}

TEST(LogWriter, OpensAnewTheFileThatSomebodyElseRenamed) {
  test::TempDir dir;
  std::ofstream(dir.file("log")) << "before\n";
  auto writer = open(dir.file("log"));
  ASSERT_EQ(::rename(dir.file("log").c_str(), dir.file("old").c_str()), 0);
  writer->reopen();
  writer->push("after\n", LogWriter::Kind::kCall);
  writer->stop(10s);
  EXPECT_EQ(content(dir.file("old")), "before\n");
  EXPECT_EQ(content(dir.file("log")), "after\n");
}

TEST(LogWriter, LetsARenamedFileGoAtOnceAndNotWithTheNextLine) {
  test::TempDir dir;
  Ticks ticks(1h);
  auto writer = open(dir.file("log"), 1u << 20, ticks.teller());
  std::unique_lock lock = ticks.lock();
  ASSERT_TRUE(ticks.wait(lock, [](int count) { return count == 1; }));
  ASSERT_EQ(::rename(dir.file("log").c_str(), dir.file("old").c_str()), 0);
  writer->reopen();
  writer->hurry();
  // The thread has been round once since.
  ASSERT_TRUE(ticks.wait(lock, [](int count) { return count == 2; }));
  lock.unlock();
  EXPECT_EQ(::access(dir.file("log").c_str(), F_OK), 0);
  writer->stop(10s);
}

TEST(LogWriter, ALineThatIsBeingWrittenWhenItStopsCountsAsFailed) {
  test::TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  const int reader = ::open(dir.file("pipe").c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto writer = open(dir.file("pipe"));
  // More than a pipe holds: the write begins and does not return.
  EXPECT_TRUE(writer->push(std::string(1u << 20, 'x'), LogWriter::Kind::kCall));
  pollfd begun{reader, POLLIN, 0};
  ASSERT_EQ(::poll(&begun, 1, 10'000), 1);
  writer->stop(1ms);
  EXPECT_EQ(writer->written(), 0u);
  EXPECT_EQ(writer->failed(), 1u);
  writer.reset();
  ::close(reader);  // the last reader, which ends the write
}

TEST(LogWriter, SaysThatNoThreadIsToBeHad) {
  test::TempDir dir;
  pthread_attr_t usual, huge;
  ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
  ASSERT_EQ(::pthread_attr_init(&huge), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&huge, size_t{1} << 60), 0);
  ASSERT_EQ(::pthread_setattr_default_np(&huge), 0);
  Options options;
  options.file = dir.file("log");
  const auto writer = LogWriter::open(options, nullptr);
  ASSERT_EQ(::pthread_setattr_default_np(&usual), 0);
  ASSERT_FALSE(writer.ok());
  EXPECT_EQ(writer.error().code, ErrorCode::kExhausted);
  EXPECT_NE(writer.error().context.find("the log's thread"), std::string::npos);
}

// Takes the place of the journal's socket. Thread: the test's.
class FakeJournal {
 public:
  explicit FakeJournal(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~FakeJournal() { ::close(fd_); }
  std::string receive() const {
    char entry[4096];
    const ssize_t size = ::recv(fd_, entry, sizeof entry, MSG_DONTWAIT);
    return size < 0 ? "" : std::string(entry, static_cast<size_t>(size));
  }

 private:
  const int fd_;
};

std::unique_ptr<LogWriter> open_journal(const std::string& path) {
  Options options;
  options.to = Target::kJournal;
  auto writer = LogWriter::open(options, nullptr, path);
  EXPECT_TRUE(writer.ok()) << (writer.ok() ? "" : writer.error().to_string());
  return std::move(*writer);
}

TEST(LogWriter, SendsEachEntryToTheJournal) {
  test::TempDir dir;
  const FakeJournal journal(dir.file("socket"));
  auto writer = open_journal(dir.file("socket"));
  EXPECT_TRUE(writer->to_journal());
  writer->push("MESSAGE=one\n", LogWriter::Kind::kCall);
  writer->push("MESSAGE=two\n", LogWriter::Kind::kCall);
  writer->stop(10s);
  EXPECT_EQ(journal.receive(), "MESSAGE=one\n");
  EXPECT_EQ(journal.receive(), "MESSAGE=two\n");
  EXPECT_EQ(writer->failed(), 0u);
}

TEST(LogWriter, FindsAJournalThatHasBeenRestarted) {
  test::TempDir dir;
  auto journal = std::make_unique<FakeJournal>(dir.file("socket"));
  auto writer = open_journal(dir.file("socket"));
  journal.reset();
  ::unlink(dir.file("socket").c_str());
  journal = std::make_unique<FakeJournal>(dir.file("socket"));
  writer->push("MESSAGE=one\n", LogWriter::Kind::kCall);
  writer->stop(10s);
  EXPECT_EQ(journal->receive(), "MESSAGE=one\n");
}

TEST(LogWriter, JournalThatHasGoneOrDoesNotReadLosesEntriesAndCountsThem) {
  test::TempDir dir;
  auto journal = std::make_unique<FakeJournal>(dir.file("socket"));
  auto stuck = open_journal(dir.file("socket"));
  for (int i = 0; i < 1000; ++i) stuck->push("MESSAGE=x\n", LogWriter::Kind::kCall);
  stuck->stop(10ms);
  EXPECT_GE(stuck->failed(), 1u);
  auto gone = open_journal(dir.file("socket"));
  journal.reset();
  gone->push("MESSAGE=x\n", LogWriter::Kind::kCall);
  gone->stop(10s);
  EXPECT_EQ(gone->failed(), 1u);
}

TEST(LogWriter, SaysThatThereIsNoJournal) {
  test::TempDir dir;
  Options options;
  options.to = Target::kJournal;
  const auto writer = LogWriter::open(options, nullptr, dir.file("socket"));
  ASSERT_FALSE(writer.ok());
  EXPECT_EQ(writer.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(writer.error().context.find("log.to"), std::string::npos);
}

TEST(LogWriter, KnowsWhetherADescriptorLeadsToTheJournal) {
  test::TempDir dir;
  std::ofstream(dir.file("stream")) << "";
  const int fd = ::open(dir.file("stream").c_str(), O_RDONLY);
  struct stat info {};
  ASSERT_EQ(::fstat(fd, &info), 0);
  const std::string right = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  EXPECT_TRUE(leads_to_journal(fd, right.c_str()));
  EXPECT_FALSE(leads_to_journal(fd, (right + "0").c_str()));
  EXPECT_FALSE(leads_to_journal(fd, nullptr));
  EXPECT_FALSE(leads_to_journal(fd, ""));
  EXPECT_FALSE(leads_to_journal(fd, "garbage"));
  ::close(fd);
}

TEST(LogWriter, TicksWhileItsReaderIsStuck) {
  test::TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  const int reader = ::open(dir.file("pipe").c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  Ticks ticks(1ms);
  auto writer = open(dir.file("pipe"), 1u << 20, ticks.teller());
  while (writer->push(std::string(1000, 'x'), LogWriter::Kind::kCall)) {
  }
  {
    std::unique_lock lock = ticks.lock();
    const int before = ticks.count();
    EXPECT_TRUE(ticks.wait(lock, [&](int count) { return count > before + 3; }));
  }
  writer->stop(0s);
  ::close(reader);
}

TEST(LogWriter, TicksWhileIdleAndAtOnceWhenHurried) {
  test::TempDir dir;
  Ticks ticks(1h);
  auto writer = open(dir.file("log"), 1u << 20, ticks.teller());
  for (const int wanted : {1, 2}) {
    std::unique_lock lock = ticks.lock();
    EXPECT_TRUE(ticks.wait(lock, [&](int count) { return count >= wanted; }));
    lock.unlock();
    writer->hurry();
  }
  writer->stop(10s);
}

TEST(LogWriter, SaysWhichFileItCannotWriteAndWhatToDo) {
  test::TempDir dir;
  Options options;
  options.file = dir.file("missing/log");
  const auto writer = LogWriter::open(options, nullptr);
  ASSERT_FALSE(writer.ok());
  EXPECT_NE(writer.error().context.find("missing/log"), std::string::npos);
  EXPECT_NE(writer.error().context.find("log.file"), std::string::npos);
}

}  // namespace
}  // namespace base::log
