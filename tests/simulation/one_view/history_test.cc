#include "tests/simulation/one_view/history.h"

#include <gtest/gtest.h>

namespace one_view {
namespace {

TEST(History, AllowsAValueThatIsReadUntilItIsReplaced) {
  History history;
  history.write_begins("k", 1, 1);
  history.write_ends("k", 1, 2);
  history.read("k", 1, 3, 4);
  history.write_begins("k", 2, 5);
  history.read("k", 1, 6, 7);  // the second write is under way
  history.write_ends("k", 2, 8);
  history.read("k", 2, 9, 10);
  EXPECT_FALSE(history.check());
}

TEST(History, FindsAReadOfAReplacedValue) {
  History history;
  history.write_begins("k", 1, 1);
  history.write_ends("k", 1, 2);
  history.write_begins("k", 2, 3);
  history.write_ends("k", 2, 4);
  history.read("k", 1, 5, 6);
  ASSERT_TRUE(history.check());
  EXPECT_EQ("k", history.check()->key);
}

TEST(History, FindsThatReadersDisagreeAboutTheOrder) {
  History history;
  history.write_begins("k", 1, 1);
  history.write_begins("k", 2, 2);
  history.read("k", 1, 3, 4);
  history.read("k", 2, 5, 6);
  history.read("k", 1, 7, 8);
  history.read("k", 2, 9, 10);
  EXPECT_TRUE(history.check());
}

TEST(History, LetsAnUnacknowledgedWriteTakeEffectLate) {
  History history;
  history.write_begins("k", 1, 1);
  history.write_begins("k", 2, 2);
  history.write_ends("k", 2, 3);
  history.read("k", 2, 4, 5);
  history.read("k", 1, 6, 7);
  EXPECT_FALSE(history.check());
  history.read("k", 2, 8, 9);  // but not be undone again
  EXPECT_TRUE(history.check());
}

TEST(History, FindsAFlushedValue) {
  History history;
  history.write_begins("k", 1, 1);
  history.write_ends("k", 1, 2);
  history.flush({"k"}, 3, 5);
  history.read("k", 1, 4, 6);  // begun while the flush was under way
  EXPECT_FALSE(history.check());
  history.read("k", 1, 7, 8);
  EXPECT_TRUE(history.check());
}

TEST(History, FindsAValueFromNowhere) {
  History history;
  history.read("k", 7, 1, 2);
  EXPECT_TRUE(history.check());
}

}  // namespace
}  // namespace one_view
