#include "proxy/route/reply_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace proxy::route {
namespace {

using base::memcache::Buffer;
using Place = ReplyQueue::Place;

class ReplyQueueTest : public testing::Test {
 protected:
  void answer(Ticket ticket, std::string_view text) {
    queue_.target(ticket, out_).append(text);
    queue_.finish(ticket, out_);
  }
  void fail(Ticket ticket, std::string_view text) {
    queue_.target(ticket, out_).append(text);
    queue_.fail_group(ticket, out_);
  }
  std::string sent() {
    std::string text(out_.view());
    out_.clear();
    return text;
  }

  BufferPool pool_;
  ReplyQueue queue_{pool_};
  Buffer out_;
};

TEST_F(ReplyQueueTest, TheOldestReplyIsWrittenStraightToTheOutput) {
  const Ticket a = queue_.open();
  EXPECT_EQ(&queue_.target(a, out_), &out_);
  answer(a, "a");
  EXPECT_EQ(sent(), "a");
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ReplyQueueTest, FlushesLongestFilledPrefix) {
  const Ticket a = queue_.open(), b = queue_.open(), c = queue_.open(), d = queue_.open();
  answer(c, "c");
  answer(b, "b");
  EXPECT_EQ(sent(), "");
  EXPECT_EQ(queue_.held_bytes(), 2u);
  answer(a, "a");
  EXPECT_EQ(sent(), "abc");
  EXPECT_EQ(queue_.held_bytes(), 0u);
  EXPECT_EQ(queue_.outstanding(), 1u);
  answer(d, "d");
  EXPECT_EQ(sent(), "d");
}

TEST_F(ReplyQueueTest, AQuietReplyKeepsItsPlace) {
  const Ticket a = queue_.open(), b = queue_.open();
  answer(b, "b");
  answer(a, "");
  EXPECT_EQ(sent(), "b");
}

TEST_F(ReplyQueueTest, AFailureIsTheLastWordOfItsGroup) {
  const Ticket before = queue_.open();
  const Ticket one = queue_.open(Place::kInGroup), two = queue_.open(Place::kInGroup),
               three = queue_.open(Place::kInGroup), end = queue_.open(Place::kEndsGroup);
  const Ticket after = queue_.open();
  answer(end, "END");
  answer(after, "after");
  fail(two, "ERROR ");
  answer(before, "before ");
  answer(one, "one ");
  EXPECT_EQ(sent(), "before one ERROR ");
  answer(three, "three ");
  EXPECT_EQ(sent(), "after");
}

TEST_F(ReplyQueueTest, AFailureOutsideAGroupEndsNothing) {
  const Ticket a = queue_.open(), b = queue_.open();
  fail(a, "ERROR ");
  answer(b, "b");
  EXPECT_EQ(sent(), "ERROR b");
}

TEST_F(ReplyQueueTest, AnyOrderOfAnswersLeavesInOrderOfTickets) {
  std::mt19937 random(1);
  std::vector<Ticket> open;
  std::string expected, got;
  for (int i = 0; i < 20000; ++i) {
    if (open.empty() || (open.size() < 300 && random() % 2 == 0)) {
      open.push_back(queue_.open());
      expected += std::to_string(open.back()) + ",";
    } else {
      const size_t which = random() % open.size();
      answer(open[which], std::to_string(open[which]) + ",");
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
    }
    got += sent();
  }
  for (const Ticket ticket : open) answer(ticket, std::to_string(ticket) + ",");
  got += sent();
  EXPECT_EQ(got, expected);
  EXPECT_EQ(queue_.held_bytes(), 0u);
}

}  // namespace
}  // namespace proxy::route
