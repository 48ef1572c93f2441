#include "cli/forwarder/delay_queue.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant kStart{1'000'000'000};

TEST(DelayQueue, LetsAChunkGoWhenItIsDue) {
  DelayQueue queue;
  queue.push("abc", kStart + 10ms);
  EXPECT_EQ(queue.ready(kStart + 9ms), "");
  EXPECT_EQ(queue.due(), kStart + 10ms);
  EXPECT_EQ(queue.ready(kStart + 10ms), "abc");
}

TEST(DelayQueue, KeepsTheOrderBehindAHeldChunk) {
  DelayQueue queue;
  queue.push("slow", kStart + 10ms);
  queue.push("fast", kStart);
  EXPECT_EQ(queue.ready(kStart), "");
  EXPECT_EQ(queue.ready(kStart + 10ms), "slow");
  queue.consume(4);
  EXPECT_EQ(queue.ready(kStart + 10ms), "fast") << "due with the one before it";
}

TEST(DelayQueue, TakesPartialWrites) {
  DelayQueue queue;
  queue.push("abcdef", kStart);
  queue.consume(2);
  EXPECT_EQ(queue.ready(kStart), "cdef");
  EXPECT_EQ(queue.bytes(), 4u);
  queue.consume(4);
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.due().has_value());
}

TEST(DelayQueue, IsFullAtItsBound) {
  DelayQueue queue;
  queue.push(std::string(DelayQueue::kMaxBytes - 1, 'x'), kStart);
  EXPECT_FALSE(queue.full());
  queue.push("x", kStart);
  EXPECT_TRUE(queue.full());
  queue.consume(DelayQueue::kMaxBytes - 1);
  EXPECT_FALSE(queue.full());
}

TEST(DelayQueue, IgnoresEmptyChunks) {
  DelayQueue queue;
  queue.push("", kStart);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace cli
