#include "proxy/admin/state_dir.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace proxy::admin {
namespace {

class StateDirTest : public testing::Test {
 protected:
  SavedState reopen() {
    state_.reset();
    auto opened = StateDir::open(path());
    EXPECT_TRUE(opened.ok());
    state_ = std::move(*opened);
    auto saved = state_->load();
    EXPECT_TRUE(saved.ok());
    return std::move(*saved);
  }
  std::string path() const { return directory_.file("state"); }
  void write(const std::string& name, const std::string& text, bool append = false) {
    std::ofstream file(path() + "/" + name, append ? std::ios::app : std::ios::trunc);
    file << text;
  }
  static Flush flush(base::Generation generation, uint64_t sequence) {
    Flush f;
    f.cache = 1;
    f.generation = generation;
    f.sequence = sequence;
    return f;
  }

  test::TempDir directory_;
  std::unique_ptr<StateDir> state_;
};

TEST_F(StateDirTest, BeginsEmpty) {
  const SavedState saved = reopen();
  EXPECT_EQ(saved.directory->generation, 0u);
  EXPECT_EQ(saved.committed, nullptr);
  EXPECT_TRUE(saved.damaged.empty());
}

TEST_F(StateDirTest, RemembersConfigurationChangesFlushesTablesAndFence) {
  SavedState saved = reopen();
  tenant::Cache cache;
  cache.id = 1;
  saved.directory->generation = 5;
  saved.directory->put_cache(cache);
  ASSERT_TRUE(state_->save_config(*saved.directory, {}).ok());
  ASSERT_TRUE(state_->append_flush(flush(2, 1)).ok());
  const auto change = boost::json::parse(R"({"base":5,"generation":6,"caches":[
      {"id":2,"generation":1}]})")
                          .get_object();
  ASSERT_TRUE(state_->append_change(change).ok());
  ASSERT_TRUE(state_->append_change(change).ok());  // its base is past: no effect
  const auto first = base::next_table({}, 1, {{"a", 1}});
  const auto second = base::next_table(first, 2, {{"a", 1}, {"b", 1}});
  ASSERT_TRUE(state_->save_committed(first).ok());
  ASSERT_TRUE(state_->save_prepared(second).ok());
  ASSERT_TRUE(state_->save_fence(77, 3).ok());

  saved = reopen();
  EXPECT_EQ(saved.directory->generation, 6u);
  EXPECT_EQ(saved.directory->caches.find(1)->generation, 2u);
  EXPECT_NE(saved.directory->caches.find(2), nullptr);
  EXPECT_EQ(saved.directory->flush_sequence(), 1u);
  EXPECT_EQ(saved.committed->epoch, 1u);
  EXPECT_EQ(saved.prepared->epoch, 2u);
  EXPECT_EQ(saved.fence, 77u);
  EXPECT_EQ(saved.known_epoch, 3u);
  ASSERT_TRUE(state_->remove_prepared().ok());
  ASSERT_TRUE(state_->remove_prepared().ok());
  EXPECT_EQ(reopen().prepared, nullptr);
}

TEST_F(StateDirTest, OldLinesOfTheLogDoNoHarmToANewConfiguration) {
  SavedState saved = reopen();
  tenant::Cache cache;
  cache.id = 1;
  saved.directory->generation = 9;
  saved.directory->put_cache(cache);
  saved.directory->flush(1, 7, 1);
  ASSERT_TRUE(state_->save_config(*saved.directory, {}).ok());
  // As if the process had ended before the log was emptied.
  ASSERT_TRUE(state_->append_flush(flush(6, 1)).ok());
  saved = reopen();
  EXPECT_EQ(saved.directory->caches.find(1)->generation, 7u);
  EXPECT_EQ(saved.directory->flush_sequence(), 1u);
}

TEST_F(StateDirTest, DropsATornLineAndWritesOnBehindIt) {
  reopen();
  tenant::Directory directory;
  directory.generation = 1;
  ASSERT_TRUE(state_->append_flush(flush(2, 1)).ok());
  write("changes.log", R"({"flush":{"cache":1,"gen)", true);
  EXPECT_EQ(reopen().directory->flush_sequence(), 1u);
  ASSERT_TRUE(state_->append_flush(flush(3, 2)).ok());
  const SavedState saved = reopen();
  EXPECT_EQ(saved.directory->flush_sequence(), 2u);
  EXPECT_TRUE(saved.damaged.empty());
}

TEST_F(StateDirTest, NamesDamagedFilesAndGoesOnWithoutThem) {
  reopen();
  write("config.json", "{");
  write("committed.json", "[]");
  write("changes.log", "nonsense\n{\"flush\":{\"cache\":1,\"generation\":2,\"sequence\":1}}\n");
  const SavedState saved = reopen();
  EXPECT_EQ(saved.damaged.size(), 3u);
  EXPECT_EQ(saved.committed, nullptr);
  EXPECT_EQ(saved.directory->flush_sequence(), 0u);
}

}  // namespace
}  // namespace proxy::admin
