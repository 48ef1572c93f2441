#include "base/memcache/buffer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace base::memcache {
namespace {

TEST(Buffer, KeepsBytesInOrderAcrossRandomAppendsAndConsumptions) {
  std::mt19937 random(7);
  Buffer buffer;
  std::string oracle;
  for (int i = 0; i < 20000; ++i) {
    if (random() % 2 == 0) {
      const std::string bytes(random() % 300, static_cast<char>('a' + i % 26));
      buffer.append(bytes);
      oracle += bytes;
    } else {
      const size_t count = random() % (oracle.size() + 1);
      buffer.consume(count);
      oracle.erase(0, count);
    }
    ASSERT_EQ(buffer.view(), oracle);
  }
}

TEST(Buffer, DoesNotGrowWhileItIsEmptiedAsFastAsItIsFilled) {
  Buffer buffer;
  buffer.append(std::string(400, 'x'));
  const size_t capacity = buffer.capacity();
  for (int i = 0; i < 1000; ++i) {
    buffer.consume(buffer.size());
    buffer.append(std::string(400, 'x'));
  }
  EXPECT_EQ(buffer.capacity(), capacity);
}

TEST(Buffer, GivesItsMemoryBackOnlyWhenEmpty) {
  Buffer buffer;
  buffer.append("x");
  buffer.release();
  EXPECT_EQ(buffer.view(), "x");
  buffer.consume(1);
  buffer.release();
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append("again");
  EXPECT_EQ(buffer.view(), "again");
}

TEST(Buffer, CommitsWhatWasWrittenIntoItsReserve) {
  Buffer buffer;
  buffer.append("ab");
  char* const at = buffer.reserve(3);
  at[0] = 'c';
  at[1] = 'd';
  buffer.commit_to(at + 2);
  EXPECT_EQ(buffer.view(), "abcd");
  Buffer moved = std::move(buffer);
  EXPECT_EQ(moved.view(), "abcd");
  EXPECT_TRUE(buffer.empty());  // NOLINT: a moved-from Buffer is an empty one
}

}  // namespace
}  // namespace base::memcache
