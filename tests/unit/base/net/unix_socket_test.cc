#include "base/net/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace base::net {
namespace {

TEST(UnixSocket, IsForItsOwnerOnlyFromTheStart) {
  const test::TempDir folder;
  const std::string path = folder.path() + "/s.sock";
  const auto listening = listen_unix(path);
  ASSERT_TRUE(listening.ok()) << listening.error().to_string();
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST(UnixSocket, WorksWhereThePathIsLongerThanAnAddress) {
  const test::TempDir folder;
  const std::string deep = folder.path() + "/" + std::string(90, 'd') + "/" + std::string(90, 'e');
  std::filesystem::create_directories(deep);
  const std::string path = deep + "/agent.sock";
  const auto listening = listen_unix(path);
  ASSERT_TRUE(listening.ok()) << listening.error().to_string();
  EXPECT_TRUE(std::filesystem::is_socket(path));
  EXPECT_TRUE(connect_unix(path).ok());
}

TEST(UnixSocket, ReplacesTheFileOfADeadListener) {
  const test::TempDir folder;
  const std::string path = folder.path() + "/s.sock";
  { const auto dead = listen_unix(path); }
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(connect_unix(path).code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(listen_unix(path).ok());
}

TEST(UnixSocket, DoesNotTakeThePathOfALivingListener) {
  const test::TempDir folder;
  const std::string path = folder.path() + "/s.sock";
  const auto first = listen_unix(path);
  EXPECT_EQ(listen_unix(path).code(), ErrorCode::kExists);
}

TEST(UnixSocket, DoesNotRemoveAFileThatIsNoSocket) {
  const test::TempDir folder;
  const std::string path = folder.path() + "/s.sock";
  std::ofstream(path) << "mine";
  EXPECT_EQ(listen_unix(path).code(), ErrorCode::kExists);
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST(UnixSocket, ReportsAMissingFolder) {
  EXPECT_EQ(listen_unix("/nonexistent/folder/s.sock").code(), ErrorCode::kNotFound);
  EXPECT_EQ(connect_unix("/nonexistent/folder/s.sock").code(), ErrorCode::kUnavailable);
  EXPECT_EQ(connect_unix("").code(), ErrorCode::kInvalid);
}

TEST(UnixSocket, LeavesTheSuccessorsFileAlone) {
  const test::TempDir folder;
  const std::string path = folder.path() + "/s.sock";
  const auto first = listen_unix(path);
  const SocketFile ours = socket_file(path);
  std::filesystem::rename(path, path + ".old");
  const auto second = listen_unix(path);
  ASSERT_TRUE(second.ok());
  remove_socket_file(path, ours);
  EXPECT_TRUE(connect_unix(path).ok());
  remove_socket_file(path, socket_file(path));
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace base::net
