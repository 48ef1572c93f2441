#include "agent/mesh/ledger.h"

#include <gtest/gtest.h>

namespace agent::mesh {
namespace {

using namespace std::chrono_literals;
using Fate = EchoLedger::Fate;

constexpr base::Instant kBegin{1'000'000'000};

EchoDatagram answer_to(const EchoDatagram& question, base::Duration dwell = 0s) {
  EchoDatagram answer = question;
  answer.kind = EchoDatagram::Kind::kAnswer;
  answer.dwell = dwell;
  return answer;
}

TEST(EchoLedger, CountsTheWayWithoutTheDwell) {
  EchoLedger ledger;
  const EchoDatagram question = ledger.ask(7, kBegin);
  const auto answer = ledger.take(answer_to(question, 3ms), kBegin + 4ms);
  EXPECT_EQ(answer.fate, Fate::kAnswered);
  EXPECT_EQ(answer.took, 1ms);
  EXPECT_EQ(ledger.counts().answered, 1U);
  EXPECT_EQ(ledger.counts().within[3], 1U) << "the bound of 1 ms";
  EXPECT_EQ(ledger.take_lost(kBegin + 10s), 0U);
}

TEST(EchoLedger, ADwellLongerThanTheWholeIsNoNegativeTime) {
  EchoLedger ledger;
  const EchoDatagram question = ledger.ask(7, kBegin);
  EXPECT_EQ(ledger.take(answer_to(question, 1s), kBegin + 1ms).took, 0s);
}

TEST(EchoLedger, WhatIsNotAnsweredWithinASecondIsLostOnce) {
  EchoLedger ledger;
  ledger.ask(7, kBegin);
  EXPECT_EQ(ledger.take_lost(kBegin + 999ms), 0U);
  EXPECT_EQ(ledger.take_lost(kBegin + 1s), 1U);
  EXPECT_EQ(ledger.take_lost(kBegin + 2s), 0U);
  EXPECT_EQ(ledger.counts().lost, 1U);
}

TEST(EchoLedger, ALateAnswerCountsOnceAndTheLossStands) {
  EchoLedger ledger;
  const EchoDatagram question = ledger.ask(7, kBegin);
  ledger.take_lost(kBegin + 1s);
  EXPECT_EQ(ledger.take(answer_to(question), kBegin + 1100ms).fate, Fate::kLate);
  EXPECT_EQ(ledger.take(answer_to(question), kBegin + 1200ms).fate, Fate::kUnexpected);
  EXPECT_EQ(ledger.counts().late, 1U);
  EXPECT_EQ(ledger.counts().lost, 1U);
  EXPECT_EQ(ledger.counts().answered, 0U);
}

TEST(EchoLedger, ACopyIsUnexpected) {
  EchoLedger ledger;
  const EchoDatagram question = ledger.ask(7, kBegin);
  EXPECT_EQ(ledger.take(answer_to(question), kBegin + 1ms).fate, Fate::kAnswered);
  EXPECT_EQ(ledger.take(answer_to(question), kBegin + 2ms).fate, Fate::kUnexpected);
  EXPECT_EQ(ledger.counts().answered, 1U);
}

TEST(EchoLedger, WhoDoesNotKnowTheNonceIsNotBelieved) {
  EchoLedger ledger;
  const EchoDatagram question = ledger.ask(7, kBegin);
  EchoDatagram forged = answer_to(question);
  forged.nonce = 8;
  EXPECT_EQ(ledger.take(forged, kBegin + 1ms).fate, Fate::kUnexpected);
  forged = answer_to(question);
  forged.sequence += EchoLedger::kRemembered;
  EXPECT_EQ(ledger.take(forged, kBegin + 1ms).fate, Fate::kUnexpected);
  forged = answer_to(question);
  forged.sent = kBegin - 1ms;
  EXPECT_EQ(ledger.take(forged, kBegin + 1ms).fate, Fate::kUnexpected);
  EXPECT_EQ(ledger.take(question, kBegin + 1ms).fate, Fate::kUnexpected) << "a question";
  EXPECT_EQ(ledger.take(answer_to(question), kBegin + 1ms).fate, Fate::kAnswered);
}

TEST(EchoLedger, LosesTheOldestWhenAskedFasterThanItRemembers) {
  EchoLedger ledger;
  const EchoDatagram first = ledger.ask(1, kBegin);
  for (size_t i = 0; i < EchoLedger::kRemembered; ++i) ledger.ask(2, kBegin);
  EXPECT_EQ(ledger.counts().lost, 1U);
  EXPECT_EQ(ledger.take(answer_to(first), kBegin + 1ms).fate, Fate::kUnexpected);
  EXPECT_EQ(ledger.take_lost(kBegin + 1s), EchoLedger::kRemembered);
  EXPECT_EQ(ledger.counts().lost, ledger.counts().asked);
}

}  // namespace
}  // namespace agent::mesh
