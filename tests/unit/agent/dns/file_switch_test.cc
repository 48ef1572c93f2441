#include "agent/dns/file_switch.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/core/file.h"
#include "tests/support/real_time.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/dns/dns_suite.h"

namespace agent::dns {
namespace {

FileOptions options_in(const std::string& directory) {
  FileOptions options;
  options.directory = directory;
  options.zone = "cache.test";
  return options;
}

class FileHarness {
 public:
  static bool available() { return true; }
  DnsSwitch& dns() { return dns_; }
  std::string zone() const { return "cache.test"; }
  boost::asio::io_context& io() { return time_.io(); }
  test::RealTime& time() { return time_; }
  base::Instant soon() const { return time_.in(std::chrono::seconds(10)); }
  const test::TempDir& directory() const { return directory_; }
  template <class T>
  T wait(boost::asio::awaitable<T> work) {
    return time_.run(std::move(work));
  }

 private:
  test::TempDir directory_;
  test::RealTime time_;
  FileSwitch dns_{time_.timers(), options_in(directory_.path())};
};
INSTANTIATE_TYPED_TEST_SUITE_P(File, DnsSuite, FileHarness);

TEST(FileSwitch, KeepsNamesForTheNextProcess) {
  FileHarness harness;
  const Change move = a_change("a.cache.test", 0, 1, addresses({"10.0.0.1"}));
  ASSERT_TRUE(harness.wait(harness.dns().change(move, harness.soon())).ok());
  FileSwitch next(harness.time().timers(), options_in(harness.directory().path()));
  const auto views = harness.wait(next.read("a.cache.test", harness.soon()));
  EXPECT_EQ(views->front().state->generation, 1u);
}

TEST(FileSwitch, ChangesNothingWhileAnotherProcessHoldsTheLock) {
  FileHarness harness;
  const std::string path = harness.directory().file("cache.test.lock");
  const base::net::UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  const Change move = a_change("a.cache.test", 0, 1, addresses({"10.0.0.1"}));
  const base::Instant shortly = harness.time().in(std::chrono::milliseconds(30));
  const auto done = harness.wait(harness.dns().change(move, shortly));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnavailable);
  ASSERT_EQ(::flock(lock.get(), LOCK_UN), 0);
  EXPECT_TRUE(harness.wait(harness.dns().change(move, harness.soon())).ok());
}

TEST(FileSwitch, LeavesADamagedFileAsItIs) {
  for (const char* text : {"", "{", "[]", R"({"names":[]})", R"({"names":{"a.cache.test":7}})",
                           R"({"names":{"a.cache.test":{"records":[{"type":"MX"}]}}})"}) {
    FileHarness harness;
    const std::string path = harness.directory().file("cache.test.json");
    ASSERT_TRUE(base::write_file_atomic(path, text, base::Durability::kRenameOnly).ok());
    const Change move = a_change("a.cache.test", 0, 1, addresses({"10.0.0.1"}));
    const auto done = harness.wait(harness.dns().change(move, harness.soon()));
    ASSERT_FALSE(done.ok()) << text;
    EXPECT_EQ(done.code(), base::ErrorCode::kUnavailable);
    EXPECT_EQ(base::read_file(path).value(), text);
  }
}

}  // namespace
}  // namespace agent::dns
