#include "base/core/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace base {
namespace {

size_t entries_in(const std::string& directory) {
  using Iterator = std::filesystem::directory_iterator;
  return static_cast<size_t>(std::distance(Iterator(directory), Iterator()));
}

TEST(File, ReadsBackWhatWasWritten) {
  test::TempDir dir;
  const std::string content("a\0b\n", 4);
  for (const Durability durability : {Durability::kRenameOnly, Durability::kFsync}) {
    ASSERT_TRUE(write_file_atomic(dir.file("f"), content, durability).ok());
    EXPECT_EQ(*read_file(dir.file("f")), content);
  }
  EXPECT_EQ(entries_in(dir.path()), 1u);
}

TEST(File, ReplacementIsANewFileSoThatReadersKeepTheOld) {
  test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("f"), "old", Durability::kRenameOnly).ok());
  std::filesystem::create_hard_link(dir.file("f"), dir.file("reader"));
  ASSERT_TRUE(write_file_atomic(dir.file("f"), "new", Durability::kRenameOnly).ok());
  EXPECT_EQ(*read_file(dir.file("f")), "new");
  EXPECT_EQ(*read_file(dir.file("reader")), "old");
}

TEST(File, IsCreatedWithTheModeAsked) {
  test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("key"), "x", Durability::kRenameOnly, 0600).ok());
  struct stat info {};
  ASSERT_EQ(::stat(dir.file("key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(File, FailureLeavesTheOldContentAndNoTemporary) {
  test::TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("d/inside")).ok());
  const Result<> onto_directory = write_file_atomic(dir.file("d"), "x", Durability::kFsync);
  EXPECT_EQ(onto_directory.code(), ErrorCode::kIo);
  EXPECT_EQ(entries_in(dir.path()), 1u);
}

TEST(File, ErrorsNameThePathAndTheReason) {
  test::TempDir dir;
  const auto missing = read_file(dir.file("none"));
  EXPECT_EQ(missing.code(), ErrorCode::kNotFound);
  EXPECT_NE(missing.error().context.find(dir.file("none")), std::string::npos);
  const auto nowhere = write_file_atomic(dir.file("no/f"), "x", Durability::kFsync);
  EXPECT_EQ(nowhere.code(), ErrorCode::kNotFound);
  EXPECT_EQ(read_file(dir.path()).code(), ErrorCode::kIo);
}

TEST(File, RefusesToReadMoreThanItsBound) {
  test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("f"), "12345", Durability::kRenameOnly).ok());
  EXPECT_TRUE(read_file(dir.file("f"), 5).ok());
  EXPECT_EQ(read_file(dir.file("f"), 4).code(), ErrorCode::kInvalid);
}

// The superuser may write everywhere, so a child without its rights tries. Exit status 0: it was told.
TEST(File, PermissionErrorNamesTheOwnerOfWhatStandsInTheWay) {
  const auto try_as_nobody = [] {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(3);
    const auto refused = make_directories("/etc/mcguard-test-no-such");
    if (refused.ok() || refused.code() != ErrorCode::kPermission) ::_exit(1);
    const bool named = refused.error().context.find("belongs to root") != std::string::npos;
    ::_exit(named ? 0 : 2);
  };
  EXPECT_EXIT(try_as_nobody(), ::testing::ExitedWithCode(0), "");
}

TEST(File, MakesDirectoriesAndSaysWhenAFileIsInTheWay) {
  test::TempDir dir;
  EXPECT_TRUE(make_directories(dir.file("a/b//c/")).ok());
  EXPECT_TRUE(make_directories(dir.file("a/b/c")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(dir.file("a/b/c")));
  ASSERT_TRUE(write_file_atomic(dir.file("f"), "x", Durability::kRenameOnly).ok());
  const auto blocked = make_directories(dir.file("f/g"));
  ASSERT_FALSE(blocked.ok());
  EXPECT_NE(blocked.error().context.find(dir.file("f")), std::string::npos);
}

}  // namespace
}  // namespace base
