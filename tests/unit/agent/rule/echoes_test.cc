#include "agent/rule/echoes.h"

#include <gtest/gtest.h>

namespace agent::rule {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant kBegin{1'000'000'000'000};

// A link whose echoes usually take 0.1 ms.
class EchoWitnessTest : public ::testing::Test {
 protected:
  EchoWitnessTest() {
    for (int i = 0; i < 60; ++i) link_.answered(kBegin - 60s + i * 1s, 0.0001, true);
  }
  void hear(base::Instant at, double seconds, int times) {
    for (int i = 0; i < times; ++i) link_.answered(at, seconds, false);
  }
  EchoSays says() const {
    EchoWitness witness;
    witness.hear(link_, kBegin);
    return witness.says();
  }
  LinkEchoes link_;
};

TEST_F(EchoWitnessTest, OneMomentOfSlowEchoesIsNoFaultOfTheNetwork) {
  hear(kBegin + 4s, 0.03, 5);
  EXPECT_EQ(says(), EchoSays::kNothing);
  hear(kBegin + 9s, 0.03, 1);
  EXPECT_EQ(says(), EchoSays::kNetwork);
}

TEST_F(EchoWitnessTest, ManyThatAreWellSayThatItIsNotTheNetwork) {
  hear(kBegin + 4s, 0.0001, 80);
  EXPECT_EQ(says(), EchoSays::kNothing);
  hear(kBegin + 5s, 0.0001, 10);
  EXPECT_EQ(says(), EchoSays::kMembers);
}

TEST_F(EchoWitnessTest, RemembersTwoMinutes) {
  hear(kBegin + 4s, 0.0001, 90);
  link_.answered(kBegin + 128s, 0.0001, false);
  EXPECT_EQ(says(), EchoSays::kMembers);
  link_.answered(kBegin + 133s, 0.0001, false);
  EXPECT_EQ(says(), EchoSays::kNothing);
}

TEST(LinkEchoes, KnowsWhatIsUsualAfterThirty) {
  LinkEchoes link;
  for (int i = 0; i < 29; ++i) link.answered(kBegin + i * 2s, 0.0001, true);
  link.answered(kBegin + 100s, 0.0001, false);
  EXPECT_FALSE(link.is_known()) << "doubtful times teach nothing";
  EXPECT_FALSE(link.learned());
  link.answered(kBegin + 102s, 0.0001, true);
  EXPECT_TRUE(link.is_known());
  EXPECT_NEAR(link.median(), 0.0001, 0.00001);
}

}  // namespace
}  // namespace agent::rule
