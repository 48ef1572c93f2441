#include "proxy/backend/confirmation_wait.h"

#include <gtest/gtest.h>

#include <string>

namespace proxy {
namespace {

using base::memcache::MetaCode;
using base::memcache::MetaReply;
using Kind = ConfirmationWait::Kind;
using Sight = ConfirmationWait::Sight;
using namespace std::chrono_literals;

constexpr base::Instant kStart{1'000'000'000};
constexpr uint32_t kLargest = 1000;

// A record that is young is the reply after so many others.
auto record_after(size_t count) {
  return [count](size_t n, const MetaReply&) {
    return n == count ? Kind::kYoungRecord : Kind::kOther;
  };
}

TEST(ConfirmationWait, FindsAYoungRecordAmongTheRepliesHoweverTheyArrive) {
  // The second holds what looks like replies and a record.
  const std::string all = "EN\r\nVA 15 f0\r\nVA 3\r\n9 9\r\nEN\r\n\r\nHD\r\nVA 3\r\n7 7\r\nHD\r\n";
  const size_t end = all.find("7 7") + 5;
  ConfirmationWait wait;
  wait.begin(kLargest, kStart);
  std::string buffer;
  for (size_t i = 0; i < all.size(); ++i) {
    buffer.push_back(all[i]);
    MetaReply reply;
    const Sight sight = wait.look(buffer, reply, record_after(3));
    if (i + 1 < end) {
      ASSERT_EQ(sight, Sight::kNotYet) << i;
    } else {
      ASSERT_EQ(sight, Sight::kFound) << i;
      EXPECT_EQ(reply.value, "7 7");
      EXPECT_EQ(wait.seen(), 3u);
    }
  }
}

TEST(ConfirmationWait, WaitsForTheNextRecordWhenOneComesTooLate) {
  ConfirmationWait wait;
  wait.begin(kLargest, kStart);
  MetaReply reply;
  std::string buffer = "HD\r\nVA 3\r\n7 7\r\n";
  const auto none = [](size_t, const MetaReply&) { return Kind::kOther; };
  EXPECT_EQ(wait.look(buffer, reply, none), Sight::kNotYet) << "it is old by now";
  buffer += "HD\r\nVA 3\r\n8 8\r\n";
  EXPECT_EQ(wait.look(buffer, reply, record_after(3)), Sight::kFound);
  EXPECT_EQ(reply.value, "8 8");
}

TEST(ConfirmationWait, TrustsNothingBehindAReplyThatIsNoneOrHasLostTheStep) {
  MetaReply reply;
  ConfirmationWait wait;
  wait.begin(kLargest, kStart);
  EXPECT_EQ(wait.look("hello\r\nVA 3\r\n7 7\r\n", reply, record_after(1)), Sight::kBroken);
  wait.begin(kLargest, kStart);
  EXPECT_EQ(wait.look("VA 1001\r\n", reply, record_after(1)), Sight::kBroken) << "larger than any";
  wait.begin(kLargest, kStart);
  const auto first_only = [](size_t n, const MetaReply&) {
    return n == 0 ? Kind::kOther : Kind::kLostStep;
  };
  EXPECT_EQ(wait.look("HD\r\nCLIENT_ERROR bad data chunk\r\nVA 3\r\n9 9\r\n", reply, first_only),
            Sight::kBroken);
}

TEST(ConfirmationWait, IsShortAndNotRepeatedBeforeSomethingWasConfirmed) {
  ConfirmationWait wait;
  EXPECT_TRUE(wait.may_begin());
  wait.begin(kLargest, kStart);
  EXPECT_FALSE(wait.is_over(kStart + ConfirmationWait::kLongest - 1ns));
  EXPECT_TRUE(wait.is_over(kStart + ConfirmationWait::kLongest));
  wait.end();
  EXPECT_FALSE(wait.may_begin());
  wait.on_confirmed();
  EXPECT_TRUE(wait.may_begin());
  wait.begin(kLargest, kStart);
  wait.reset();
  EXPECT_FALSE(wait.is_on());
  EXPECT_TRUE(wait.may_begin()) << "another connection";
}

}  // namespace
}  // namespace proxy
