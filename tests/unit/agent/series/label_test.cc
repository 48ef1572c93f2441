#include "agent/series/label.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace agent::series {
namespace {

TEST(Label, CopiesHaveOneText) {
  const Label one("amber-backend-1"), two(std::string("amber-backend-1")), copy = one;
  EXPECT_EQ(one, two);
  EXPECT_EQ(&one.text(), &two.text());
  EXPECT_EQ(&one.text(), &copy.text());
  EXPECT_FALSE(one == Label("amber-backend-2"));
}

TEST(Label, ComparesWithTextsAndSortsLikeThem) {
  const Label label("birch");
  EXPECT_TRUE(label == "birch");
  EXPECT_TRUE(label == std::string("birch"));
  EXPECT_FALSE(label == std::string_view("birch-1"));
  EXPECT_LT(Label("amber"), label);
  EXPECT_GT(Label("birch-1"), label);
  EXPECT_EQ(label <=> Label("birch"), std::strong_ordering::equal);
  EXPECT_LT(Label(), label);
}

TEST(Label, TheEmptyOneIsOne) {
  Label label("amber");
  label.clear();
  EXPECT_TRUE(label.empty());
  EXPECT_EQ(label, Label());
  EXPECT_EQ(label, Label(""));
  EXPECT_EQ(label.text(), "");
}

TEST(Label, StaysWhoeverItWasCopiedFrom) {
  Label kept;
  {
    const Label gone("only here");
    kept = gone;
  }
  EXPECT_EQ(kept, "only here");
  EXPECT_EQ(kept, Label("only here"));
}

TEST(Label, ForgetsOnDemandWhatCameSinceItWasFrozen) {
  const Label before("before the freeze");
  Label::freeze();
  const std::string* const place = &Label("after the freeze").text();
  EXPECT_EQ(&Label("after the freeze").text(), place);
  Label::forget_since_freeze();
  EXPECT_EQ(before, "before the freeze");
  EXPECT_EQ(&Label("before the freeze").text(), &before.text());
  EXPECT_EQ(Label("after the freeze"), "after the freeze");
}

// What the sanitizers look at.
TEST(Label, IsMadeInManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<uint64_t> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&wrong, t] {
      for (int i = 0; i < 20000; ++i) {
        const std::string text = "label-" + std::to_string(i % 3);
        const Label one(text);
        const Label two = one;
        if (!(two == Label(text)) || two.text() != text) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<uint64_t>(4, 0));
}

}  // namespace
}  // namespace agent::series
