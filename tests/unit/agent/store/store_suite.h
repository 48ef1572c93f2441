// The contract of agent/store/store.h as tests, run against every implementation: one typed suite,
// instantiated with a harness that opens a store and runs a coroutine to its end.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "agent/store/store.h"

namespace agent::store {

// Harness: default-constructible; Store& store(); T wait(awaitable<T>).
template <class Harness>
class StoreSuite : public ::testing::Test {
 protected:
  base::Result<Revision> commit(Transaction t) {
    auto done = harness_.wait(harness_.store().commit(std::move(t)));
    if (!done.ok()) last_error_ = done.error().to_string();
    return done;
  }
  std::optional<Entry> get(const std::string& key) {
    return harness_.wait(harness_.store().get(key)).value();
  }
  std::vector<std::string> keys(const std::string& prefix) {
    std::vector<std::string> found;
    const auto entries = harness_.wait(harness_.store().list(prefix));
    for (const Entry& entry : entries.value()) found.push_back(entry.key);
    return found;
  }
  void TearDown() override {
    if (this->HasFailure()) std::cerr << last_error_ << '\n';
  }
  Harness harness_;
  std::string last_error_;
};
TYPED_TEST_SUITE_P(StoreSuite);

TYPED_TEST_P(StoreSuite, AnswersNothingForAKeyNeverWritten) {
  EXPECT_FALSE(this->get("/a").has_value());
}

TYPED_TEST_P(StoreSuite, KeepsTheRevisionOfCreationAcrossChanges) {
  const Revision first = this->commit(Transaction().put("/a", "1")).value();
  const Revision second = this->commit(Transaction().put("/a", "2")).value();
  const auto entry = this->get("/a");
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->value, "2");
  EXPECT_EQ(entry->created, first);
  EXPECT_EQ(entry->modified, second);
}

TYPED_TEST_P(StoreSuite, GrowsTheRevisionByOnePerCommit) {
  const Revision first = this->commit(Transaction().put("/a", "1")).value();
  EXPECT_EQ(this->commit(Transaction().put("/b", "1").put("/c", "1")).value(), first + 1);
  EXPECT_EQ(this->commit(Transaction().erase("/b")).value(), first + 2);
}

TYPED_TEST_P(StoreSuite, GivesAKeyThatIsDeletedAndMadeAgainALaterCreation) {
  const Revision first = this->commit(Transaction().put("/locks/a", "x")).value();
  ASSERT_TRUE(this->commit(Transaction().erase("/locks/a")).ok());
  ASSERT_TRUE(this->commit(Transaction().expect("/locks/a", 0).put("/locks/a", "y")).ok());
  EXPECT_GT(this->get("/locks/a")->created, first);
}

TYPED_TEST_P(StoreSuite, WritesNothingWhenOneComparisonFails) {
  const Revision a = this->commit(Transaction().put("/a", "1")).value();
  auto refused =
      this->commit(Transaction().expect("/a", a).expect("/b", 7).put("/a", "2").put("/b", "2"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), base::ErrorCode::kConflict);
  EXPECT_EQ(this->get("/a")->value, "1");
  EXPECT_FALSE(this->get("/b").has_value());
}

TYPED_TEST_P(StoreSuite, LetsOnlyOneCreateAKey) {
  EXPECT_TRUE(this->commit(Transaction().expect("/l", 0).put("/l", "one")).ok());
  auto second = this->commit(Transaction().expect("/l", 0).put("/l", "two"));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), base::ErrorCode::kConflict);
  EXPECT_EQ(this->get("/l")->value, "one");
}

TYPED_TEST_P(StoreSuite, ListsByPrefixInKeyOrder) {
  ASSERT_TRUE(this->commit(Transaction()
                               .put("/b/2", "")
                               .put("/b/10", "")
                               .put("/a", "")
                               .put("/b", "")
                               .put("/c", ""))
                  .ok());
  EXPECT_EQ(this->keys("/b/"), (std::vector<std::string>{"/b/10", "/b/2"}));
  EXPECT_EQ(this->keys("").size(), 5u);
  EXPECT_TRUE(this->keys("/d").empty());
}

TYPED_TEST_P(StoreSuite, KeepsBytesAsTheyAre) {
  const std::string odd("\0x\xff\"'%;--", 9);
  ASSERT_TRUE(this->commit(Transaction().put("/odd'key%_", odd)).ok());
  EXPECT_EQ(this->get("/odd'key%_")->value, odd);
  EXPECT_EQ(this->keys("/odd'key%").size(), 1u);
  EXPECT_TRUE(this->keys("/odd'key_").empty());
}

TYPED_TEST_P(StoreSuite, DeletesWhatIsNotThereWithoutComplaint) {
  EXPECT_TRUE(this->commit(Transaction().erase("/none")).ok());
}

REGISTER_TYPED_TEST_SUITE_P(StoreSuite, AnswersNothingForAKeyNeverWritten,
                            KeepsTheRevisionOfCreationAcrossChanges, GrowsTheRevisionByOnePerCommit,
                            GivesAKeyThatIsDeletedAndMadeAgainALaterCreation,
                            WritesNothingWhenOneComparisonFails, LetsOnlyOneCreateAKey,
                            ListsByPrefixInKeyOrder, KeepsBytesAsTheyAre,
                            DeletesWhatIsNotThereWithoutComplaint);

}  // namespace agent::store
