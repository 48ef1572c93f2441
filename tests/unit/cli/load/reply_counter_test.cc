#include "cli/load/reply_counter.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

constexpr std::string_view kStream =
    "STORED\r\n"
    "VALUE a 0 11\r\nEND\r\nSTORED\r\nEND\r\n"  // a value that looks like replies: 11 bytes, and 2
    "END\r\n"
    "VALUE b 1 0 7\r\n\r\nVALUE c 0 3\r\nxyz\r\nEND\r\n"
    "SERVER_ERROR backend unavailable\r\n"
    "12\r\n"
    "NOT_FOUND\r\n";

// The first value is "END\r\nSTORED", 11 bytes, and its own CR LF.
constexpr uint64_t kReplies = 7, kValues = 3, kErrors = 1;

TEST(ReplyCounter, CountsRepliesAndNotWhatValuesLookLike) {
  ReplyCounter counter;
  const auto counts = counter.take(kStream);
  EXPECT_EQ(counts.replies, kReplies);
  EXPECT_EQ(counts.values, kValues);
  EXPECT_EQ(counts.errors, kErrors);
  EXPECT_EQ(counter.last_error(), "SERVER_ERROR backend unavailable");
}

TEST(ReplyCounter, CountsTheSameWhereverTheStreamIsSplit) {
  for (size_t first = 0; first <= kStream.size(); ++first) {
    for (size_t second = first; second <= kStream.size(); ++second) {
      ReplyCounter counter;
      ReplyCounter::Counts sum;
      for (const std::string_view piece :
           {kStream.substr(0, first), kStream.substr(first, second - first),
            kStream.substr(second)}) {
        const auto counts = counter.take(piece);
        sum.replies += counts.replies;
        sum.values += counts.values;
        sum.errors += counts.errors;
      }
      ASSERT_EQ(sum.replies, kReplies) << first << " " << second;
      ASSERT_EQ(sum.values, kValues) << first << " " << second;
      ASSERT_EQ(sum.errors, kErrors) << first << " " << second;
    }
  }
}

TEST(ReplyCounter, BeginsAfreshAfterAReset) {
  ReplyCounter counter;
  counter.take("VALUE a 0 100\r\nabc");
  counter.reset();
  EXPECT_EQ(counter.take("END\r\n").replies, 1u);
}

}  // namespace
}  // namespace cli
