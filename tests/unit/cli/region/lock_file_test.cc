#include "cli/region/lock_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "cli/region/backoff.h"
#include "tests/support/temp_dir.h"

namespace cli {
namespace {

using namespace std::chrono_literals;

TEST(LockFile, TellsWhoHoldsIt) {
  const test::TempDir dir;
  const auto lock = LockFile::acquire(dir.file("page.lock"));
  ASSERT_TRUE(lock.ok()) << lock.error().to_string();
  EXPECT_EQ(lock_holder(dir.file("page.lock")), ::getpid());
  const auto held = held_locks(dir.path());
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].name, "page");
  EXPECT_EQ(held[0].pid, ::getpid());
}

TEST(LockFile, IsHeldOnce) {
  const test::TempDir dir;
  const auto first = LockFile::acquire(dir.file("page.lock"));
  const auto second = LockFile::acquire(dir.file("page.lock"));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), base::ErrorCode::kConflict);
  EXPECT_NE(second.error().context.find(std::to_string(::getpid())), std::string::npos);
}

TEST(LockFile, APidWithoutALockMeansNothing) {
  const test::TempDir dir;
  std::ofstream(dir.file("agent.lock")) << ::getpid() << "\n";
  EXPECT_FALSE(lock_holder(dir.file("agent.lock")).has_value());
  EXPECT_TRUE(held_locks(dir.path()).empty());
  EXPECT_FALSE(lock_holder(dir.file("missing.lock")).has_value());
}

TEST(RestartBackoff, IsQuickAtFirstAndSlowInACrashLoop) {
  RestartBackoff backoff;
  EXPECT_EQ(backoff.next(1s), 100ms);
  EXPECT_EQ(backoff.next(1s), 200ms);
  base::Duration longest{0};
  for (int i = 0; i < 20; ++i) longest = backoff.next(1s);
  EXPECT_EQ(longest, 30s);
  EXPECT_EQ(backoff.next(2s), 100ms) << "one that had come up is new again";
}

}  // namespace
}  // namespace cli
