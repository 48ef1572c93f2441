#include "agent/filter/decision.h"

#include <gtest/gtest.h>

namespace agent::filter {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kEightDays = 8 * base::Duration(24h);
constexpr base::WallTime kFirst{1'796'000'000'000'000'000};
const base::WallTime kNow = kFirst + kEightDays;

Subject subject(std::string_view text) {
  return *Subject::parse(text);
}

// A region that knows eight days of its clients, and an attacker that was counted for 20 s.
struct Accused {
  AuthenticatedHistory history = whole();
  Knowledge knowledge{history, kNow, {}, {}, {}, {}, 0, {}};
  Wanted wanted;

  Accused() {
    knowledge.flows.is_known = true;
    knowledge.flows.connections = 40;
    knowledge.standing.push_back(filter("203.0.113.9", Mode::kCount, 20s, 500));
    wanted.address = "203.0.113.9";
    wanted.run = "run-1";
  }
  static AuthenticatedHistory whole() {
    AuthenticatedHistory made;
    made.begin_round({}, 1);
    for (base::Duration passed{0}; passed <= kEightDays; passed += 12h) {
      made.end_round(kFirst + passed, base::Instant{passed.count()}, true);
    }
    return made;
  }
  static Filter filter(std::string_view text, Mode mode, base::Duration age, uint64_t packets) {
    Filter made;
    made.subject = subject(text);
    made.mode = mode;
    made.run = "run-1";
    made.ttl = 600s;
    made.left = 600s - age;
    made.packets = packets;
    return made;
  }
  Verdict verdict() const { return decide(wanted, knowledge); }
  Reason reason() const { return verdict().reason; }
};

TEST(Decision, BlocksAnAttackerThatWasCountedAndHurtsNobody) {
  const Accused accused;
  const Verdict verdict = accused.verdict();
  EXPECT_EQ(verdict.outcome, Outcome::kBlock);
  EXPECT_EQ(verdict.reason, Reason::kHarmless);
  EXPECT_EQ(verdict.ttl, base::Duration(10min));
  EXPECT_EQ(
      verdict.sentence,
      "203.0.113.9/32 is blocked for 600 s: nobody has authenticated from it in seven days, and "
      "none of its 40 connections is authenticated");
}

TEST(Decision, NeverBlocksWhoAuthenticatedInSevenDays) {
  Accused accused;
  accused.history.insert(subject("203.0.113.9"), kNow + -base::Duration(7 * 24h));
  const Verdict verdict = accused.verdict();
  EXPECT_EQ(verdict.outcome, Outcome::kRefuse);
  EXPECT_EQ(verdict.reason, Reason::kAuthenticated);
  EXPECT_NE(verdict.sentence.find("limit the credential instead"), std::string::npos);
  accused.wanted.is_count_only = true;
  EXPECT_EQ(accused.reason(), Reason::kAuthenticated) << "not counted either";
}

TEST(Decision, NeverBlocksBehindWhomSomebodyIsAuthenticatedNow) {
  Accused accused;
  accused.knowledge.flows.authenticated_connections = 1;
  accused.knowledge.flows.credentials = 1;
  accused.knowledge.flows.caches = 2;
  EXPECT_EQ(accused.reason(), Reason::kConnected);
  EXPECT_NE(
      accused.verdict().sentence.find("1 authenticated connection of 1 credential to 2 caches"),
      std::string::npos);
  accused.knowledge.flows.authenticated_connections = 0;
  EXPECT_EQ(accused.reason(), Reason::kConnected) << "a credential is enough";
}

TEST(Decision, RefusesWhatIsTooWideOrNoAddress) {
  Accused accused;
  accused.wanted.address = "203.0.113.0/24";
  EXPECT_EQ(accused.reason(), Reason::kTooWide);
  accused.wanted.address = "2001:db8::/48";
  EXPECT_EQ(accused.reason(), Reason::kTooWide);
  accused.wanted.address = "everybody";
  EXPECT_EQ(accused.reason(), Reason::kNoAddress);
  accused.wanted.address = "";
  EXPECT_EQ(accused.reason(), Reason::kNoAddress);
}

TEST(Decision, RefusesWhatTheRegionLivesBy) {
  Accused accused;
  accused.knowledge.protected_places.push_back({subject("203.0.113.9"), "proxy amber-proxy-1"});
  EXPECT_EQ(accused.reason(), Reason::kProtected);
  EXPECT_NE(accused.verdict().sentence.find("is proxy amber-proxy-1"), std::string::npos);
  for (const char* text : {"127.0.0.1", "::1", "fe80::1"}) {
    accused.wanted.address = text;
    EXPECT_EQ(accused.reason(), Reason::kShared) << text;
  }
}

TEST(Decision, RefusesWhatTheOperatorAllows) {
  Accused accused;
  accused.knowledge.allowed.push_back(subject("203.0.113.9"));
  EXPECT_EQ(accused.reason(), Reason::kAllowed);
}

TEST(Decision, WantsARunAndATime) {
  Accused accused;
  for (const char* run : {"", "run 1", "run\"1", "run\n", "r\xc3\xbcn"}) {
    accused.wanted.run = run;
    EXPECT_EQ(accused.reason(), Reason::kNoRun) << run;
  }
  accused.wanted.run = std::string(65, 'a');
  EXPECT_EQ(accused.reason(), Reason::kNoRun);
  accused.wanted.run = "run-1/step";
  accused.wanted.ttl = 1h;
  EXPECT_EQ(accused.reason(), Reason::kHarmless);
  for (const base::Duration ttl :
       {base::Duration(1h + 1s), base::Duration(0), base::Duration(-1s)}) {
    accused.wanted.ttl = ttl;
    EXPECT_EQ(accused.reason(), Reason::kBadTtl);
  }
}

TEST(Decision, OnlyCountsFirst) {
  Accused accused;
  accused.knowledge.standing.clear();
  EXPECT_EQ(accused.verdict().outcome, Outcome::kCount);
  EXPECT_EQ(accused.reason(), Reason::kCanary);
  accused.knowledge.standing.push_back(Accused::filter("203.0.113.9", Mode::kCount, 9s, 500));
  EXPECT_EQ(accused.reason(), Reason::kCanary);
  accused.knowledge.standing.back() = Accused::filter("203.0.113.8", Mode::kCount, 20s, 500);
  EXPECT_EQ(accused.reason(), Reason::kCanary) << "another was counted";
  accused.knowledge.standing.back() = Accused::filter("203.0.113.9", Mode::kCount, 10s, 0);
  EXPECT_EQ(accused.reason(), Reason::kNothingCounted);
  EXPECT_EQ(accused.verdict().outcome, Outcome::kCount);
  accused.knowledge.standing.back() = Accused::filter("203.0.113.9", Mode::kCount, 10s, 1);
  EXPECT_EQ(accused.reason(), Reason::kHarmless);
}

TEST(Decision, OnlyCountsWhenThatIsAsked) {
  Accused accused;
  accused.wanted.is_count_only = true;
  EXPECT_EQ(accused.verdict().outcome, Outcome::kCount);
  EXPECT_EQ(accused.reason(), Reason::kAsked);
}

TEST(Decision, RenewsABlockWithoutCountingAgain) {
  Accused accused;
  accused.knowledge.standing = {Accused::filter("203.0.113.9", Mode::kBlock, 5s, 0)};
  EXPECT_EQ(accused.reason(), Reason::kHarmless);
  accused.history.insert(subject("203.0.113.9"), kNow);
  EXPECT_EQ(accused.reason(), Reason::kAuthenticated) << "what speaks against it counts anew";
}

TEST(Decision, OnlyCountsWithoutSevenDaysOfHistory) {
  const Accused whole;
  const AuthenticatedHistory young;
  const Knowledge knowledge{young, kNow,    whole.knowledge.flows, {}, {}, whole.knowledge.standing,
                            0,     Bounds{}};
  const Verdict verdict = decide(whole.wanted, knowledge);
  EXPECT_EQ(verdict.outcome, Outcome::kCount);
  EXPECT_EQ(verdict.reason, Reason::kHistory);
  EXPECT_NE(verdict.sentence.find("younger than seven days"), std::string::npos);
}

TEST(Decision, OnlyCountsWhenLiveConnectionsAreNotKnown) {
  Accused accused;
  accused.knowledge.flows.age = 6s;
  EXPECT_EQ(accused.reason(), Reason::kFlowsUnknown);
  accused.knowledge.flows = LiveFlows{};
  EXPECT_EQ(accused.reason(), Reason::kFlowsUnknown);
  EXPECT_EQ(accused.verdict().outcome, Outcome::kCount);
}

TEST(Decision, BoundsWhatBlocksRefuse) {
  Accused accused;
  accused.knowledge.flows.ok_share = 0.0011;
  EXPECT_EQ(accused.reason(), Reason::kServed);
  accused.knowledge.flows.ok_share = 0.001;
  EXPECT_EQ(accused.reason(), Reason::kHarmless);
  accused.knowledge.blocked_ok_share = 0.0095;
  EXPECT_EQ(accused.reason(), Reason::kTooMuchTraffic);
}

TEST(Decision, BoundsTheNumberOfFilters) {
  Accused accused;
  accused.knowledge.bounds.most_filters = 2;
  accused.knowledge.standing.push_back(Accused::filter("203.0.113.10", Mode::kBlock, 20s, 1));
  EXPECT_EQ(accused.reason(), Reason::kHarmless) << "it stands already, as one that counts";
  accused.wanted.address = "203.0.113.11";
  EXPECT_EQ(accused.reason(), Reason::kTooMany);
  EXPECT_EQ(accused.verdict().outcome, Outcome::kRefuse);
}

TEST(Decision, JudgesAnIpv6AddressByItsNetwork) {
  Accused accused;
  accused.history.insert(subject("2001:db8:0:1::5"), kNow);
  accused.wanted.address = "2001:db8:0:1:aaaa::9/128";
  EXPECT_EQ(accused.reason(), Reason::kAuthenticated);
  EXPECT_EQ(accused.verdict().subject.text(), "2001:db8:0:1::/64");
}

struct Lifting {
  AuthenticatedHistory history;
  LiftJudge judge;
  std::vector<Filter> standing{Accused::filter("203.0.113.9", Mode::kBlock, 20s, 5)};
  LiftJudge::Look look{
      history, base::Instant{0}, {}, {}, {}, {}, [](const std::string&) { return true; }};

  std::string lifted() {
    const std::vector<Lift> lifts = judge.judge(standing, look);
    return lifts.empty() ? "" : std::string(to_string(lifts.front().reason));
  }
};

TEST(Lift, LeavesWhatIsWantedAndAtWork) {
  Lifting accused;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(accused.lifted(), "");
    accused.look.now = accused.look.now + base::Duration(1min);
    ++accused.standing[0].packets;
  }
}

TEST(Lift, FollowsWhoAuthenticatesAnywhere) {
  Lifting accused;
  accused.look.newcomers = {subject("10.0.0.1"), subject("203.0.113.9"), subject("10.0.0.2")};
  EXPECT_EQ(accused.lifted(), "newcomer");
  accused.look.newcomers.clear();
  accused.history.insert(subject("203.0.113.9"), kNow);
  EXPECT_EQ(accused.lifted(), "newcomer");
}

TEST(Lift, FollowsAuthenticatedConnections) {
  Lifting accused;
  accused.look.connected = {subject("203.0.113.9")};
  EXPECT_EQ(accused.lifted(), "connected");
}

TEST(Lift, FollowsWhatTheRegionAndTheOperatorSay) {
  Lifting accused;
  accused.look.protected_places = {{subject("203.0.113.9"), "proxy amber-proxy-3"}};
  EXPECT_EQ(accused.lifted(), "protected");
  accused.look.protected_places.clear();
  accused.look.allowed = {subject("203.0.113.9")};
  EXPECT_EQ(accused.lifted(), "allowed");
}

TEST(Lift, FollowsTheEndOfTheReason) {
  Lifting accused;
  accused.look.is_wanted = [](const std::string& run) { return run != "run-1"; };
  EXPECT_EQ(accused.lifted(), "reason_gone");
}

TEST(Lift, FollowsQuiet) {
  Lifting accused;
  EXPECT_EQ(accused.lifted(), "");
  accused.look.now = accused.look.now + base::Duration(119s);
  EXPECT_EQ(accused.lifted(), "");
  accused.standing[0].packets = 0;  // renewed
  EXPECT_EQ(accused.lifted(), "");
  accused.look.now = accused.look.now + base::Duration(120s);
  EXPECT_EQ(accused.lifted(), "quiet");
}

}  // namespace
}  // namespace agent::filter
