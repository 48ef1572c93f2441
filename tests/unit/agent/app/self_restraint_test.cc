// The agent that does not stay up, or whose clock jumps, starts nothing by itself.
#include "agent/app/self_restraint.h"

#include "tests/unit/agent/runbook/engine_fixture.h"

namespace agent::app {
namespace {

using namespace std::chrono_literals;
using runbook::Hold;

class SelfRestraintTest : public ::testing::Test {
 protected:
  // A process that begins, and is killed when the next one does.
  void start() {
    restraint.reset();
    fixture.start();
    restraint = std::make_unique<SelfRestraint>(SelfRestraint::Parts{
        fixture.io.get_executor(), fixture.store, *fixture.engine, fixture.timers, gate});
    boost::asio::co_spawn(fixture.io, restraint->begin(),
                          [](std::exception_ptr failure) { EXPECT_FALSE(failure); });
    fixture.settle(1ms);
  }
  void end() {
    boost::asio::co_spawn(fixture.io, restraint->end(),
                          [](std::exception_ptr failure) { EXPECT_FALSE(failure); });
    fixture.settle(1ms);
  }
  std::vector<runbook::Pause> pauses() const { return fixture.engine->pauses().list(); }

  void TearDown() override {
    gate.close();
    fixture.settle(2s);
  }

  runbook::EngineFixture fixture;
  base::Gate gate;
  std::unique_ptr<SelfRestraint> restraint;
};

TEST_F(SelfRestraintTest, OnlyObservesAfterTooManyStarts) {
  for (int i = 0; i < 4; ++i) {
    start();
    fixture.settle(20s);
    EXPECT_TRUE(pauses().empty()) << i;
  }
  start();
  ASSERT_EQ(pauses().size(), 1u);
  EXPECT_EQ(pauses()[0].owner, "mcguard");
  EXPECT_NE(pauses()[0].reason.find("started 5 times in 300 s without an orderly end"),
            std::string::npos)
      << pauses()[0].reason;
  fixture.facts.kill("amber-proxy-1");
  const auto held =
      fixture.wait(fixture.engine->respond(fixture.proxy_dead("inc-1", "amber-proxy-1")));
  EXPECT_EQ(held.hold, Hold::kPaused);
  for (int i = 0; i < 20; ++i) start();
  EXPECT_EQ(pauses().size(), 1u) << "one to be lifted, however long it lasts";
  fixture.settle(10min);
  EXPECT_TRUE(pauses().empty()) << "once it has stayed up, it acts again";
}

TEST_F(SelfRestraintTest, CountsNoStartsBeforeAnOrderlyEnd) {
  for (int i = 0; i < 20; ++i) {
    start();
    EXPECT_TRUE(pauses().empty()) << i;
    end();
  }
}

TEST_F(SelfRestraintTest, AStoreThatIsAwayCountsNoStart) {
  fixture.store.set_away(true);
  for (int i = 0; i < 20; ++i) start();
  EXPECT_TRUE(pauses().empty());
}

TEST_F(SelfRestraintTest, OnlyObservesAfterTheClockJumped) {
  start();
  restraint->watch_clock();
  fixture.settle(1min);
  EXPECT_TRUE(pauses().empty());
  fixture.clock.jump(-90s);
  fixture.settle(1s);
  ASSERT_EQ(pauses().size(), 1u);
  EXPECT_NE(pauses()[0].reason.find("the clock jumped 90 s back"), std::string::npos)
      << pauses()[0].reason;
}

}  // namespace
}  // namespace agent::app
