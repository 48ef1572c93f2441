#include "agent/app/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/app/kill_point.h"
#include "base/core/file.h"
#include "tests/support/temp_dir.h"

namespace agent::app {
namespace {

void write(const std::string& path, const std::string& text) {
  ASSERT_TRUE(base::write_file_atomic(path, text, base::Durability::kRenameOnly).ok());
}

TEST(Files, ReadsYamlInNameOrderAndLeavesOutWhatIsExcepted) {
  test::TempDir dir;
  for (const char* name : {"b.yaml", "a.yaml", "policy-mine.yaml", "notes.txt"}) {
    write(dir.file(name), name);
  }
  const auto sources = read_sources(dir.path(), "policy").value();
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].text, "a.yaml");
  EXPECT_EQ(read_sources(dir.path()).value().size(), 3u);
  EXPECT_EQ(read_sources(dir.file("nowhere")).code(), base::ErrorCode::kNotFound);
}

TEST(Files, MakesATokenOnceAndRefusesAShortOne) {
  test::TempDir dir;
  const std::string path = dir.file("operator.token");
  const std::string first(operator_token(path).value().reveal());
  EXPECT_EQ(operator_token(path).value().reveal(), first);
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  write(path, "short\n");
  EXPECT_EQ(operator_token(path).code(), base::ErrorCode::kInvalid);
}

TEST(Files, ASecondAgentLearnsWhoHasTheLock) {
  test::TempDir dir;
  auto first = take_lock(dir.file("agent.lock"));
  ASSERT_TRUE(first.ok());
  const auto second = take_lock(dir.file("agent.lock"));
  EXPECT_EQ(second.code(), base::ErrorCode::kConflict);
  EXPECT_NE(second.error().context.find(std::to_string(::getpid())), std::string::npos);
}

TEST(KillPoint, CountsDownAndKillsOnlyAtZero) {
  test::TempDir dir;
  const std::string path = dir.file("kill-point");
  const KillPoint point(path);
  EXPECT_TRUE(point(runbook::JournalPoint{}));
  write(path, "2\n");
  EXPECT_TRUE(point(runbook::JournalPoint{}));
  EXPECT_EQ(base::read_file(path).value(), "1");
  write(path, "soon\n");
  EXPECT_TRUE(point(runbook::JournalPoint{}));
  write(path, "0");
  EXPECT_EXIT((void)point(runbook::JournalPoint{}), ::testing::KilledBySignal(SIGKILL), "");
  EXPECT_EQ(base::read_file(path).code(), base::ErrorCode::kNotFound);
}

}  // namespace
}  // namespace agent::app
