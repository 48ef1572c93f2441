#include "agent/publish/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>
#include <fstream>

#include "base/core/file.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/publish/page_samples.h"

namespace agent::publish {
namespace {

using namespace std::chrono_literals;

// A publisher on virtual time whose page says how often it was asked for.
class PagePublisherTest : public ::testing::Test {
 protected:
  PagePublisherTest() {
    PagePublisher::Options options;
    options.directory = folder_.file("page");
    publisher_ = std::make_unique<PagePublisher>(io_.get_executor(), io_.get_executor(), timers_,
                                                 options, [this] { return model(); });
  }
  ~PagePublisherTest() override {
    boost::asio::co_spawn(io_, publisher_->stop(), boost::asio::detached);
    timers_.run_for(1s);
  }

  std::optional<PageModel> model() {
    ++asked_;
    if (!known_) return std::nullopt;
    last_ = build_page(test::sample_identity(), {test::sound_cluster("amber")}, incidents_,
                       clock_.wall(), last_ ? &*last_ : nullptr);
    return last_;
  }
  std::string content(const std::string& path) {
    return base::read_file(folder_.file("page/" + path)).value_or("");
  }
  bool exists(const std::string& path) {
    return std::filesystem::exists(folder_.file("page/" + path));
  }

  boost::asio::io_context io_;
  test::ManualClock clock_;
  test::ManualTimers timers_{io_, clock_};
  test::TempDir folder_;
  std::vector<ReportedIncident> incidents_;
  bool known_ = true;
  int asked_ = 0;
  std::optional<PageModel> last_;
  std::unique_ptr<PagePublisher> publisher_;
};

TEST_F(PagePublisherTest, WritesTheWholePageAtStart) {
  publisher_->start();
  timers_.run_ready();
  for (const char* path :
       {"index.html", "history.html", "history.atom", "meta.json", "api/v2/status.json",
        "api/v2/summary.json", "api/v2/components.json", "api/v2/incidents.json",
        "api/v2/incidents/unresolved.json", "api/v2/scheduled-maintenances.json",
        "api/v2/scheduled-maintenances/upcoming.json",
        "api/v2/scheduled-maintenances/active.json"}) {
    EXPECT_TRUE(exists(path)) << path;
  }
  EXPECT_EQ(publisher_->counts().writes, 1u);
}

TEST_F(PagePublisherTest, ShowsThatItIsAliveEveryFiveSeconds) {
  publisher_->start();
  timers_.run_for(4900ms);
  const std::string first = content("meta.json");
  EXPECT_EQ(publisher_->counts().writes, 1u);
  timers_.run_for(200ms);
  EXPECT_EQ(publisher_->counts().writes, 2u);
  EXPECT_NE(content("meta.json"), first);
}

TEST_F(PagePublisherTest, WritesThePagesEveryThirdTimeWhileNothingIsNew) {
  publisher_->start();
  timers_.run_ready();
  const std::string first = content("index.html");
  timers_.run_for(5100ms);
  EXPECT_EQ(publisher_->counts().writes, 2u);
  timers_.run_for(5s);
  EXPECT_EQ(publisher_->counts().writes, 3u);
  EXPECT_EQ(content("index.html"), first);
  timers_.run_for(5s);
  EXPECT_EQ(publisher_->counts().writes, 4u);
  EXPECT_NE(content("index.html"), first);
}

// A false alarm moves the beat of meta.json; the pages keep theirs.
TEST_F(PagePublisherTest, WritesThePagesEveryFifteenSecondsAtLeastWheneverItIsCalled) {
  publisher_->start();
  timers_.run_ready();
  std::string content_before = content("index.html");
  base::Instant written = clock_.now();
  base::Duration longest(0);
  for (int i = 0; i < 1500; ++i) {
    if (i % 124 == 24) publisher_->changed();
    timers_.run_for(100ms);
    const std::string content_now = content("index.html");
    longest = std::max(longest, clock_.now() - written);
    if (content_now == content_before) continue;
    content_before = content_now;
    written = clock_.now();
  }
  EXPECT_LE(longest, 15s);
  EXPECT_GE(longest, 14s) << "nor much more often";
}

TEST_F(PagePublisherTest, WritesThePagesWithAChangeThatNobodyToldOf) {
  publisher_->start();
  timers_.run_for(1s);
  incidents_.push_back(
      test::sample_incident(incident::Type::kProxyDead, incident::State::kOpen, {"opened"}));
  timers_.run_for(4100ms);
  EXPECT_THAT(content("api/v2/status.json"), ::testing::HasSubstr("Partial System Outage"));
}

TEST_F(PagePublisherTest, WritesThePagesAfterAFailure) {
  publisher_->start();
  timers_.run_for(1s);
  const std::string first = content("index.html");
  // A folder that is not empty cannot be renamed over: the write fails as on a full disk.
  std::filesystem::remove(folder_.file("page/meta.json"));
  std::filesystem::create_directories(folder_.file("page/meta.json/in the way"));
  timers_.run_for(4100ms);
  EXPECT_EQ(publisher_->counts().failures, 1u);
  std::filesystem::remove_all(folder_.file("page/meta.json"));
  timers_.run_for(1100ms);
  EXPECT_NE(content("index.html"), first);
}

TEST_F(PagePublisherTest, PublishesAChangeAtOnce) {
  publisher_->start();
  timers_.run_for(1s);
  incidents_.push_back(
      test::sample_incident(incident::Type::kProxyDead, incident::State::kOpen, {"opened"}));
  publisher_->changed();
  timers_.run_ready();
  EXPECT_TRUE(exists("incidents/inc-20260101-000140-1.html"));
  EXPECT_THAT(content("api/v2/status.json"), ::testing::HasSubstr("Partial System Outage"));
}

TEST_F(PagePublisherTest, ManyChangesAtOnceMakeFewPublications) {
  publisher_->start();
  timers_.run_for(1s);
  const int before = asked_;
  for (int i = 0; i < 100; ++i) publisher_->changed();
  timers_.run_ready();
  EXPECT_LE(asked_ - before, 2);
}

TEST_F(PagePublisherTest, ClaimsNothingWhileTooLittleIsKnown) {
  known_ = false;
  publisher_->start();
  timers_.run_for(6s);
  EXPECT_FALSE(exists("meta.json"));
  known_ = true;
  timers_.run_for(5s);
  EXPECT_TRUE(exists("meta.json"));
}

TEST_F(PagePublisherTest, ReportsAFailedWriteAndTriesAgainASecondLater) {
  std::ofstream(folder_.file("page")) << "a file where the folder should be";
  publisher_->start();
  timers_.run_ready();
  EXPECT_EQ(publisher_->counts().failures, 1u);
  EXPECT_FALSE(publisher_->counts().last_error.empty());
  timers_.run_for(1100ms);
  EXPECT_EQ(publisher_->counts().failures, 2u);
  std::filesystem::remove(folder_.file("page"));
  timers_.run_for(1100ms);
  EXPECT_EQ(publisher_->counts().writes, 1u);
  EXPECT_TRUE(publisher_->counts().last_error.empty());
  EXPECT_TRUE(exists("meta.json"));
}

TEST(PageWriter, LeavesUnchangedFilesAlone) {
  test::TempDir folder;
  PageWriter writer(folder.path());
  ASSERT_TRUE(writer.write({{"a.html", "one"}, {"meta.json", "1"}}).ok());
  struct stat before {
  }, after{};
  ASSERT_EQ(::stat(folder.file("a.html").c_str(), &before), 0);
  ASSERT_TRUE(writer.write({{"a.html", "one"}, {"meta.json", "2"}}).ok());
  ASSERT_EQ(::stat(folder.file("a.html").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "an atomic write makes a new inode";
  EXPECT_EQ(base::read_file(folder.file("meta.json")).value_or(""), "2");
}

TEST(PageWriter, KeepsTheOldMetaWhenAnotherFileFailed) {
  test::TempDir folder;
  PageWriter writer(folder.path());
  ASSERT_TRUE(writer.write({{"index.html", "old"}, {"meta.json", "1"}}).ok());
  // A folder that is not empty cannot be renamed over: the write fails as on a full disk.
  std::filesystem::create_directories(folder.file("b.html/in the way"));
  const base::Result<> result =
      writer.write({{"b.html", "x"}, {"index.html", "new"}, {"meta.json", "2"}});
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(base::read_file(folder.file("meta.json")).value_or(""), "1");
  EXPECT_EQ(base::read_file(folder.file("index.html")).value_or(""), "new");
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_THAT(entry.path().filename().string(),
                ::testing::AnyOf("index.html", "meta.json", "b.html"))
        << "no half file stays behind";
  }
}

}  // namespace
}  // namespace agent::publish
