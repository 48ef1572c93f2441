#include "agent/mesh/responder.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/mesh/mesh_bench.h"

namespace agent::mesh {
namespace {

using namespace std::chrono_literals;
using test::Hand;
using test::text_of;

class ResponderTest : public test::MeshTest {
 protected:
  ResponderTest() : responder_(socket_at("127.0.9.1"), {"127.0.9.2"}, timers_) {
    responder_.start(io_.get_executor(), gate_);
  }
  ~ResponderTest() override {
    responder_.stop();
    timers_.run_for(1s);
  }

  void ask(Hand& hand, const std::string& bytes) {
    hand.send(bytes, "127.0.9.1", responder_.port());
  }
  // Until `count` datagrams have been judged.
  void judge(uint64_t count) {
    const auto judged = [this] {
      const ResponderCounts& counts = responder_.counts();
      return counts.answered + counts.malformed + counts.unknown_peer + counts.limited;
    };
    for (int i = 0; i < 10'000 && judged() < count; ++i) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(1));
      timers_.run_for(20ms);  // its pause after a refusal
    }
    ASSERT_EQ(judged(), count);
  }

  EchoResponder responder_;
  Hand peer_{"127.0.9.2"};
};

TEST_F(ResponderTest, AnswersAPeerWithAsManyBytes) {
  EchoDatagram question;
  question.sequence = 5;
  question.nonce = 77;
  question.sent = base::Instant{123};
  ask(peer_, text_of(question));
  judge(1);
  const std::string bytes = peer_.receive();
  ASSERT_EQ(bytes.size(), kEchoBytes);
  auto answer = parse_echo(bytes);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->kind, EchoDatagram::Kind::kAnswer);
  answer->kind = question.kind;
  answer->dwell = question.dwell;
  EXPECT_EQ(*answer, question) << "all else comes back as it was";
}

TEST_F(ResponderTest, AnswersNoStranger) {
  Hand stranger("127.0.9.3");
  ask(stranger, text_of(EchoDatagram{}));
  judge(1);
  EXPECT_EQ(responder_.counts().unknown_peer, 1U);
  EXPECT_FALSE(stranger.readable(50));
}

TEST_F(ResponderTest, AnswersNothingThatIsNoQuestion) {
  EchoDatagram answer;
  answer.kind = EchoDatagram::Kind::kAnswer;
  const std::string question = text_of(EchoDatagram{});
  for (const std::string& bytes :
       {std::string(), std::string("x"), question.substr(1), question + "x", text_of(answer)}) {
    ask(peer_, bytes);
  }
  ask(peer_, std::string(1400, 'm'));
  judge(6);
  EXPECT_EQ(responder_.counts().malformed, 6U);
  EXPECT_FALSE(peer_.readable(50));
}

TEST_F(ResponderTest, AnswersAPeerNoFasterThanItsBudget) {
  constexpr int kAsked = 300;
  const base::Instant begin = clock_.now();
  int sent = 0;
  uint64_t judged = 0;
  // In portions that the socket's buffer holds; time stands still but for the pauses.
  while (sent < kAsked) {
    for (int i = 0; i < 30; ++i, ++sent) ask(peer_, text_of(EchoDatagram{}));
    io_.restart();
    while (judged < static_cast<uint64_t>(sent)) {
      io_.run_one_for(std::chrono::milliseconds(1));
      timers_.run_for(2ms);  // it gathers
      const ResponderCounts& counts = responder_.counts();
      judged = counts.answered + counts.limited;
      if (counts.limited > 0) break;
    }
    if (responder_.counts().limited > 0) break;
  }
  const uint64_t answered = responder_.counts().answered;
  EXPECT_GE(answered, 250U);
  EXPECT_LE(static_cast<double>(answered), 251 + 250 * base::to_seconds(clock_.now() - begin));
  EXPECT_GT(responder_.counts().limited, 0U);
  const uint64_t before = answered + responder_.counts().limited;
  timers_.run_for(1s);
  ask(peer_, text_of(EchoDatagram{}));
  judge(before + 1);
  EXPECT_EQ(responder_.counts().answered, answered + 1) << "a second later it has some again";
}

}  // namespace
}  // namespace agent::mesh
