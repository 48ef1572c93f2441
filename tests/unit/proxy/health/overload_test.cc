#include "proxy/health/overload.h"

#include <gtest/gtest.h>

#include <deque>

namespace proxy::health {
namespace {

using namespace std::chrono_literals;

// A backend that answers `per_second` requests, in order, and clients that offer others.
class OverloadTest : public testing::Test {
 protected:
  OverloadTest() { overload_.set_target(250ms); }

  // Both for `time`; requests beyond what is taken are counted as shed.
  void run(base::Duration time, double offered, double answered) {
    for (const base::Instant end = now_ + time; now_ < end; now_ = now_ + 1ms) {
      for (offer_ += offered / 1000; offer_ >= 1; --offer_) {
        if (queue_.size() < overload_.most()) {
          queue_.push_back(now_);
        } else {
          ++shed_;
        }
      }
      for (answer_ += answered / 1000; answer_ >= 1; --answer_) {
        if (queue_.empty()) continue;
        longest_ = std::max(longest_, now_ - queue_.front());
        overload_.on_reply(now_ - queue_.front());
        queue_.pop_front();
      }
      if (now_.ns % (20'000'000) == 0) {
        overload_.on_tick(now_, queue_.empty() ? 0ns : now_ - queue_.front(), queue_.size());
      }
    }
  }
  void forget() {
    shed_ = 0;
    longest_ = 0ns;
  }

  base::Instant now_{1'000'000'000};
  std::deque<base::Instant> queue_;
  double offer_ = 0, answer_ = 0;
  uint64_t shed_ = 0;
  base::Duration longest_{0};
  Overload overload_;
};

TEST_F(OverloadTest, LetsEverythingInWhileTheBackendKeepsUp) {
  run(5s, 900, 1000);
  EXPECT_EQ(shed_, 0u);
}

TEST_F(OverloadTest, LetsABurstIn) {
  run(1s, 900, 1000);
  run(50ms, 20'000, 1000);  // a second's work
  EXPECT_EQ(shed_, 0u);
}

TEST_F(OverloadTest, KeepsWhatIsTakenInTimeUnderThreeTimesTheLoad) {
  run(2s, 3000, 1000);
  forget();
  run(10s, 3000, 1000);
  EXPECT_LT(longest_, 600ms) << "long before the deadline of a request";
  EXPECT_NEAR(static_cast<double>(shed_), 20'000, 2000) << "and nothing more is shed";
}

TEST_F(OverloadTest, AStuckBackendKeepsAFewAndEndsWithTheFirstReplyInTime) {
  run(1s, 1000, 1000);
  run(600ms, 1000, 0);
  EXPECT_TRUE(overload_.is_on());
  EXPECT_EQ(overload_.most(), Overload::kFewest);
  forget();
  run(1s, 500, 1000);
  EXPECT_FALSE(overload_.is_on());
  forget();
  run(1s, 900, 1000);
  EXPECT_EQ(shed_, 0u);
}

TEST_F(OverloadTest, WithoutATargetNothingIsShed) {
  overload_.set_target(0ns);
  run(5s, 3000, 1000);
  EXPECT_EQ(shed_, 0u);
}

TEST_F(OverloadTest, AnotherConnectionStartsAnew) {
  run(1s, 1000, 0);
  ASSERT_TRUE(overload_.is_on());
  queue_.clear();
  overload_.reset();
  EXPECT_FALSE(overload_.is_on());
}

}  // namespace
}  // namespace proxy::health
