// Who may hold what policy starts, for how long, and that nobody holds it for ever.
#include "agent/runbook/pause.h"

#include "tests/unit/agent/runbook/engine_fixture.h"

namespace agent::runbook {
namespace {

using namespace std::chrono_literals;

PauseWish wish(const std::string& cluster, base::Duration length) {
  PauseWish wanted;
  wanted.cluster = cluster;
  wanted.owner = "operator:ann";
  wanted.reason = "changing the switch";
  wanted.length = length;
  return wanted;
}

class PauseTest : public ::testing::Test {
 protected:
  base::Result<Pause> pause(PauseWish wanted) {
    return fixture.wait(fixture.engine->pause(std::move(wanted)));
  }
  base::Result<> lift(const std::string& id) { return fixture.wait(fixture.engine->lift(id)); }
  // What policy does about a proxy that is dead.
  ResponseReport respond(const std::string& incident, const std::string& proxy) {
    fixture.facts.kill(proxy);
    return fixture.wait(fixture.engine->respond(fixture.proxy_dead(incident, proxy)));
  }
  // As another process finds it.
  void restart() {
    fixture.start();
    ASSERT_TRUE(fixture.wait(fixture.engine->resume()).ok());
  }

  EngineFixture fixture;
};

TEST_F(PauseTest, HoldsWhatPolicyWouldStartUntilItEnds) {
  const auto paused = pause(wish("amber", 10min));
  ASSERT_TRUE(paused.ok()) << paused.error().context;
  const ResponseReport held = respond("inc-1", "amber-proxy-1");
  EXPECT_EQ(held.hold, Hold::kPaused);
  EXPECT_EQ(held.text,
            "paused until 2026-01-01T00:10:01.000Z by operator:ann (changing the switch)");
  EXPECT_EQ(held.retry_at, paused->until);
  EXPECT_TRUE(fixture.world.calls.empty());
  fixture.settle(10min);
  EXPECT_FALSE(respond("inc-1", "amber-proxy-1").run.empty());
  EXPECT_TRUE(fixture.engine->pauses().list().empty());
}

TEST_F(PauseTest, HoldsNothingElsewhereAndNoOtherRunbook) {
  PauseWish other = wish("birch", 10min);
  ASSERT_TRUE(pause(other).ok());
  other.cluster = "amber";
  other.runbook = "replace-backend";
  ASSERT_TRUE(pause(other).ok());
  EXPECT_FALSE(respond("inc-1", "amber-proxy-1").run.empty());
}

TEST_F(PauseTest, HoldsNoRunbookThatOnlyLooks) {
  ASSERT_TRUE(pause(wish("", 10min)).ok());
  auto incident = fixture.proxy_dead("inc-1", "amber-proxy-1");
  incident.type = incident::Type::kOther;
  incident.title = "something odd";
  const ResponseReport report = fixture.wait(fixture.engine->respond(incident));
  EXPECT_FALSE(report.run.empty()) << report.text;
}

TEST_F(PauseTest, HoldsNoPersonAndNoRunUnderWay) {
  const ResponseReport started = respond("inc-1", "amber-proxy-1");
  ASSERT_FALSE(started.run.empty()) << started.text;
  ASSERT_TRUE(pause(wish("", 10min)).ok());
  fixture.settle();
  EXPECT_EQ(fixture.record(started.run).outcome, Outcome::kCompleted);
  fixture.facts.forget_symptoms();
  fixture.facts.revive("amber-proxy-1");
  EXPECT_TRUE(fixture.run("replace-proxy", "proxy", "birch-proxy-1").ok());
}

TEST_F(PauseTest, HoldsWhatWasPlannedBeforeItBegan) {
  auto planned = fixture.plan("replace-proxy", "proxy", "amber-proxy-1");
  ASSERT_TRUE(planned.ok());
  ASSERT_TRUE(pause(wish("amber", 10min)).ok());
  const auto refused = fixture.wait(
      fixture.engine->run(*std::move(planned), RunRequest("", std::string(kPolicy), Mode::kAuto)));
  EXPECT_EQ(refused.code(), base::ErrorCode::kRefused);
  EXPECT_TRUE(fixture.world.calls.empty());
}

TEST_F(PauseTest, MaintenanceBeginsAtItsTime) {
  PauseWish later = wish("amber", 1h);
  later.from = fixture.clock.wall() + 30min;
  const auto paused = pause(later);
  ASSERT_TRUE(paused.ok()) << paused.error().context;
  EXPECT_FALSE(fixture.engine->pauses().is_in_force(*paused));
  const uint64_t before = fixture.engine->pauses().change_count();
  fixture.settle(30min);
  EXPECT_TRUE(fixture.engine->pauses().is_in_force(*paused));
  EXPECT_GT(fixture.engine->pauses().change_count(), before) << "who waits for news is told";
  EXPECT_EQ(respond("inc-1", "amber-proxy-1").hold, Hold::kPaused);
}

TEST_F(PauseTest, LiftingEndsItForGood) {
  const auto paused = pause(wish("amber", 10min));
  EXPECT_EQ(respond("inc-1", "amber-proxy-1").hold, Hold::kPaused);
  ASSERT_TRUE(lift(paused->id).ok());
  EXPECT_EQ(lift(paused->id).code(), base::ErrorCode::kNotFound);
  restart();
  EXPECT_FALSE(respond("inc-1", "amber-proxy-1").run.empty());
}

TEST_F(PauseTest, OutlivesTheAgentAndNotItsTime) {
  ASSERT_TRUE(pause(wish("amber", 10min)).ok());
  restart();
  EXPECT_EQ(respond("inc-1", "amber-proxy-1").hold, Hold::kPaused);
  fixture.settle(10min);
  restart();
  EXPECT_TRUE(fixture.engine->pauses().list().empty());
  for (const auto& [key, entry] : fixture.store.entries()) {
    EXPECT_FALSE(key.starts_with("/pauses/")) << "one that is over is forgotten";
  }
}

TEST_F(PauseTest, IsInForceEvenIfTheStoreDoesNotTakeIt) {
  fixture.store.set_away(true);
  const auto paused = pause(wish("amber", 10min));
  ASSERT_FALSE(paused.ok());
  EXPECT_NE(paused.error().context.find("is in force, but only while this agent lives"),
            std::string::npos)
      << paused.error().context;
  fixture.store.set_away(false);
  EXPECT_EQ(respond("inc-1", "amber-proxy-1").hold, Hold::kPaused);
}

TEST_F(PauseTest, StaysWhenTheStoreCannotSayThatItWasLifted) {
  const auto paused = pause(wish("amber", 10min));
  fixture.store.set_away(true);
  EXPECT_FALSE(lift(paused->id).ok());
  fixture.store.set_away(false);
  EXPECT_EQ(respond("inc-1", "amber-proxy-1").hold, Hold::kPaused);
}

TEST_F(PauseTest, ADamagedRecordPausesEverythingUntilSomebodyLooks) {
  ASSERT_TRUE(pause(wish("birch", 10min)).ok());
  fixture.store.set("/pauses/pause-odd", "{\"id\":");
  fixture.start();
  const auto resumed = fixture.wait(fixture.engine->resume());
  ASSERT_EQ(resumed.code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(resumed.error().context, "/pauses/pause-odd is not the record of a pause");
  EXPECT_EQ(respond("inc-1", "amber-proxy-1").hold, Hold::kPaused);
  ASSERT_TRUE(lift("pause-odd").ok());
  EXPECT_FALSE(respond("inc-1", "amber-proxy-1").run.empty());
}

TEST_F(PauseTest, AClockThatJumpsEndsNone) {
  const auto paused = pause(wish("amber", 10min));
  fixture.clock.jump(2h);
  EXPECT_TRUE(fixture.engine->pauses().is_in_force(*paused));
  fixture.settle(10min);
  EXPECT_FALSE(fixture.engine->pauses().is_in_force(*paused));
}

TEST_F(PauseTest, AsksAgainWhenItEndsAndNotBeforeThoughTheClockJumped) {
  ASSERT_TRUE(pause(wish("amber", 10min)).ok());
  fixture.clock.jump(2h);
  const ResponseReport held = respond("inc-1", "amber-proxy-1");
  EXPECT_EQ(held.hold, Hold::kPaused);
  EXPECT_EQ(held.retry_at, fixture.clock.wall() + 10min);
}

TEST_F(PauseTest, AClockThatWasWrongBetweenTwoLivesMakesNoneLonger) {
  ASSERT_TRUE(pause(wish("amber", 10min)).ok());
  PauseWish own = wish("", 10min);
  own.owner = Pause::kOwnOwner;
  ASSERT_TRUE(pause(own).ok());
  fixture.clock.jump(-24h * 365);
  restart();
  for (const Pause& known : fixture.engine->pauses().list()) {
    EXPECT_TRUE(fixture.engine->pauses().is_in_force(known)) << known.id;
    EXPECT_LE(fixture.engine->pauses().left(known), 10min) << known.id;
  }
  EXPECT_EQ(fixture.engine->pauses().list().size(), 2u);
  fixture.settle(10min);
  EXPECT_FALSE(respond("inc-1", "amber-proxy-1").run.empty());
}

TEST_F(PauseTest, TheAgentsOwnIsOneAndNeverOneTooMany) {
  for (size_t i = 0; i < Pauses::kMost; ++i) ASSERT_TRUE(pause(wish("birch", 1h)).ok()) << i;
  PauseWish own = wish("", 10min);
  own.owner = Pause::kOwnOwner;
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(pause(own).ok()) << i;
    fixture.settle(1s);
  }
  EXPECT_EQ(fixture.engine->pauses().list().size(), Pauses::kMost + 1);
  own.length = 1min;
  const auto shorter = pause(own);
  EXPECT_GT(fixture.engine->pauses().left(*shorter), 9min) << "no reason makes it shorter";
  EXPECT_EQ(respond("inc-1", "amber-proxy-1").hold, Hold::kPaused);
  ASSERT_TRUE(lift(std::string(Pause::kOwnId)).ok());
  EXPECT_FALSE(respond("inc-1", "amber-proxy-1").run.empty());
}

TEST_F(PauseTest, ThoseThatAreOverLeaveTheStoreWithTheNext) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pause(wish("amber", 1s)).ok());
  fixture.settle(1s);
  ASSERT_TRUE(pause(wish("amber", 1min)).ok());
  int stored = 0;
  for (const auto& [key, entry] : fixture.store.entries()) stored += key.starts_with("/pauses/");
  EXPECT_EQ(stored, 1);
}

TEST_F(PauseTest, ItsOwnerIsNoLongerThanALine) {
  PauseWish maintenance = wish("amber", 1h);
  maintenance.owner = std::string(300, 'x') + "\n";
  const auto paused = pause(maintenance);
  ASSERT_TRUE(paused.ok());
  EXPECT_EQ(paused->owner.size(), Pause::kLongestOwner);
}

TEST_F(PauseTest, RefusesWhatWouldNeverEndOrSaysNothing) {
  const auto refusal = [this](PauseWish wanted) {
    return pause(std::move(wanted)).error().context;
  };
  PauseWish odd = wish("amber", 0s);
  EXPECT_NE(refusal(odd).find("for: expected between 1s and 7 days"), std::string::npos);
  odd.length = 24h * 8;
  EXPECT_NE(refusal(odd).find("for: expected between"), std::string::npos);
  odd = wish("amber", 1h);
  odd.reason.clear();
  EXPECT_NE(refusal(odd).find("reason: expected a sentence"), std::string::npos);
  odd.reason = std::string(Pause::kLongestReason + 1, 'x');
  EXPECT_NE(refusal(odd).find("reason: expected at most"), std::string::npos);
  odd = wish("amber", 1h);
  odd.from = fixture.clock.wall() + (-2h);
  EXPECT_NE(refusal(odd).find("from: expected a time at which"), std::string::npos);
  odd.from = fixture.clock.wall() + 24h * 60;
  EXPECT_NE(refusal(odd).find("from: expected at most 31 days ahead"), std::string::npos);
  EXPECT_EQ(pause(wish("nowhere", 1h)).code(), base::ErrorCode::kNotFound);
  odd = wish("amber", 1h);
  odd.runbook = "dance";
  EXPECT_EQ(pause(odd).code(), base::ErrorCode::kNotFound);
  EXPECT_TRUE(fixture.engine->pauses().list().empty());
}

TEST_F(PauseTest, ThereAreAtMostSoMany) {
  for (size_t i = 0; i < Pauses::kMost; ++i) ASSERT_TRUE(pause(wish("amber", 10min)).ok()) << i;
  EXPECT_EQ(pause(wish("amber", 10min)).code(), base::ErrorCode::kExhausted);
  fixture.settle(10min);
  EXPECT_TRUE(pause(wish("amber", 10min)).ok());
}

TEST_F(PauseTest, TheLongestOfSeveralIsTold) {
  ASSERT_TRUE(pause(wish("amber", 10min)).ok());
  ASSERT_TRUE(pause(wish("", 30min)).ok());
  ASSERT_TRUE(pause(wish("amber", 20min)).ok());
  EXPECT_NE(respond("inc-1", "amber-proxy-1").text.find("until 2026-01-01T00:30:01"),
            std::string::npos);
}

TEST(Pause, ItsRecordIsReadAsItWasWritten) {
  Pause pause;
  pause.id = "pause-1";
  pause.cluster = "amber";
  pause.runbook = "flush";
  pause.owner = "mcguard";
  pause.reason = "\"because\"";
  pause.from = base::WallTime::from_rfc3339("2026-11-28T21:45:00.017Z").value();
  pause.until = base::WallTime::from_rfc3339("2026-11-28T22:45:00.017Z").value();
  const auto read = pause_from_document(boost::json::serialize(to_document(pause)));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(boost::json::serialize(to_document(*read)), boost::json::serialize(to_document(pause)));
  for (const char* odd : {"", "[]", "{}", R"({"id":1})"}) {
    EXPECT_FALSE(pause_from_document(odd).ok()) << odd;
  }
}

}  // namespace
}  // namespace agent::runbook
