#include "cli/region/exit_watch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>
#include <iterator>

#include "cli/region/lock_file.h"
#include "tests/support/temp_dir.h"

namespace cli {
namespace {

class ExitWatchTest : public ::testing::Test {
 protected:
  std::optional<int> wait(pid_t pid) {
    auto ended = boost::asio::co_spawn(io_, watch_.wait(pid), boost::asio::use_future);
    io_.restart();
    io_.run();
    return ended.get();
  }
  std::string log() const {
    std::ifstream file(dir_.file("log"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  Command shell(const std::string& script) const {
    return {{"/bin/sh", "-c", script}, dir_.file("log")};
  }
  test::TempDir dir_;
  boost::asio::io_context io_;
  ExitWatch watch_{io_.get_executor()};
};

TEST_F(ExitWatchTest, TellsHowAChildEnded) {
  const auto pid = start_program(shell("echo said; echo complained >&2; exit 3"));
  ASSERT_TRUE(pid.ok()) << pid.error().to_string();
  EXPECT_EQ(describe_exit(wait(*pid)), "exited with status 3");
  EXPECT_EQ(log(), "said\ncomplained\n");
}

TEST_F(ExitWatchTest, TellsWhichSignalKilledAChild) {
  const auto pid = start_program(shell("kill -9 $$"));
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(describe_exit(wait(*pid)), "was killed by signal 9");
}

TEST_F(ExitWatchTest, KnowsTheEndOfOneThatWasReapedBefore) {
  EXPECT_EQ(describe_exit(wait(999'999'999)), "has ended");
}

TEST_F(ExitWatchTest, ReportsAProgramThatIsNotThere) {
  EXPECT_FALSE(start_program({{"/nonexistent/program"}, dir_.file("log")}).ok());
}

TEST_F(ExitWatchTest, SignalsOnlyTheHolderOfALock) {
  EXPECT_FALSE(signal_holder(dir_.file("none.lock"), SIGTERM));
  std::ofstream(dir_.file("free.lock")) << ::getpid() << "\n";
  EXPECT_FALSE(signal_holder(dir_.file("free.lock"), SIGKILL)) << "nobody holds it";
  const auto lock = LockFile::acquire(dir_.file("held.lock"));
  EXPECT_TRUE(signal_holder(dir_.file("held.lock"), 0));
}

}  // namespace
}  // namespace cli
