#include "proxy/admission/accept_pace.h"

#include <gtest/gtest.h>

namespace proxy::admission {
namespace {

using namespace std::chrono_literals;

// A worker whose turns take strangers while it may and do `work` for the others.
class AcceptPaceTest : public testing::Test {
 protected:
  // The share of the time that strangers got, each of whom takes `each`; they never end.
  double share_of_strangers(base::Duration work, base::Duration each, base::Duration idle = 0ns) {
    const base::Instant began = now_;
    base::Duration strangers{0};
    while (now_ - began < 1s) {
      now_ = now_ + idle;
      const base::Instant turn = now_;
      while (pace_.may_accept()) {
        now_ = now_ + each;
        strangers += each;
        pace_.spend(each);
      }
      now_ = now_ + work;
      pace_.end_turn(turn, now_);
    }
    return base::to_seconds(strangers) / base::to_seconds(now_ - began);
  }

  base::Instant now_{1'000'000'000};
  AcceptPace pace_;
};

TEST_F(AcceptPaceTest, StrangersGetASmallShareOfABusyWorker) {
  EXPECT_NEAR(share_of_strangers(2ms, 10us), 1.0 / 6, 0.03);
}

TEST_F(AcceptPaceTest, OneThatTakesLongIsPaidForLater) {
  EXPECT_NEAR(share_of_strangers(1ms, 3ms), 1.0 / 6, 0.03) << "a handshake longer than a turn";
}

TEST_F(AcceptPaceTest, StrangersGetNearlyAllOfAWorkerWithoutOtherWork) {
  EXPECT_GT(share_of_strangers(2us, 10us), 0.9);
}

TEST_F(AcceptPaceTest, TimeThatPassesIdleIsTheirs) {
  share_of_strangers(2ms, 10us);
  EXPECT_FALSE(pace_.may_accept() && !pace_.is_touched());
  now_ = now_ + 20ms;
  pace_.end_turn(now_, now_);
  EXPECT_FALSE(pace_.is_touched()) << "all of the balance is back";
}

TEST_F(AcceptPaceTest, ADebtIsForgivenAfterAShortRestThatNobodyElseWanted) {
  base::Duration strangers{0}, rested{0};
  for (int i = 0; i < 100; ++i) {
    const base::Instant turn = now_;
    ASSERT_TRUE(pace_.may_accept());
    now_ = now_ + 3ms;
    pace_.spend(3ms);
    strangers += 3ms;
    pace_.end_turn(turn, now_);
    if (pace_.may_accept()) continue;
    const base::Duration rest = pace_.rests_until() - now_;
    ASSERT_GT(rest, 0ns);
    rested += rest;
    now_ = now_ + rest;
    pace_.end_rest(now_);
  }
  EXPECT_GT(rested, 0ns);
  EXPECT_LT(rested, strangers / 10);
}

}  // namespace
}  // namespace proxy::admission
