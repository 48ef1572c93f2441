#include "agent/incident/book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/incident/json.h"
#include "agent/incident/wording.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::BookPolicy;
using agent::incident::Change;
using agent::incident::Incident;
using agent::incident::IncidentBook;
using agent::incident::Moment;
using agent::incident::RunEvent;
using agent::incident::Scope;
using agent::incident::State;
using agent::incident::Type;
using agent::incident::Verdict;

Verdict verdict(Type type, Scope scope, double confidence = 1) {
  Verdict found;
  found.rule = to_string(type);
  found.type = type;
  found.scope = std::move(scope);
  found.confidence = confidence;
  found.sentence = "It is so.";
  found.evidence = {{"series{a=b}", 1, 2, "units"}};
  return found;
}

const Scope kProxy{"amber", "amber-proxy-1", "", ""};
const Scope kOtherProxy{"amber", "amber-proxy-2", "", ""};
const Scope kBackend{"amber", "", "amber-backend-1", ""};
const Scope kCluster{"amber", "", "", ""};

class Book : public testing::Test {
 protected:
  Book() : book(BookPolicy()) { book.set_cluster("amber", 6, 3); }

  Moment at() const { return {now, base::WallTime{1'767'225'600'000'000'000 + now.ns}}; }
  std::vector<Change> apply(std::vector<Verdict> verdicts, base::Duration step = 100ms) {
    now = now + step;
    for (Verdict& item : verdicts) item.since = now - 1s;
    return book.apply(verdicts, at());
  }
  // Offers the same verdicts for a while, as a detector does.
  void last(const std::vector<Verdict>& verdicts, base::Duration length) {
    for (const base::Instant end = now + length; now < end;) apply(verdicts);
  }
  std::vector<Change> run(RunEvent::Kind kind, const std::string& incident, Scope target) {
    RunEvent event;
    event.kind = kind;
    event.run = "run-1";
    event.runbook = "replace-proxy";
    event.incident = incident;
    event.target = std::move(target);
    return book.run_event(event, at());
  }
  const Incident& only() {
    EXPECT_EQ(book.unresolved().size(), 1U);
    return *book.unresolved().at(0);
  }

  IncidentBook book;
  base::Instant now{100'000'000'000};
};

TEST_F(Book, ASureVerdictOpensAnIncidentWithATimeline) {
  const auto changes = apply({verdict(Type::kProxyDead, kProxy)});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, Change::Kind::kOpened);
  EXPECT_EQ(only().title, "Proxy amber-proxy-1 is dead");
  EXPECT_EQ(only().id, "inc-20260101-000140-1");
  EXPECT_EQ(only().detected - only().started, 1s);
  ASSERT_EQ(only().timeline.size(), 2U);
  EXPECT_EQ(only().timeline[0].kind, "detected");
  EXPECT_EQ(only().timeline[1].kind, "opened");
  EXPECT_TRUE(apply({verdict(Type::kProxyDead, kProxy)}).empty());
}

TEST_F(Book, AnUnsureVerdictIsSuspectedAndOpensWhenItLasts) {
  EXPECT_EQ(apply({verdict(Type::kNetworkDegraded, kProxy, 0.6)})[0].kind,
            Change::Kind::kSuspected);
  EXPECT_EQ(only().state, State::kSuspected);
  last({verdict(Type::kNetworkDegraded, kProxy, 0.6)}, 6s);
  EXPECT_EQ(only().state, State::kOpen);
}

TEST_F(Book, ASuspicionThatPassesIsNeverOpened) {
  apply({verdict(Type::kProxyStuck, kProxy, 0.6)});
  last({}, 6s);
  EXPECT_TRUE(book.unresolved().empty());
  EXPECT_EQ(book.resolved(1)[0]->timeline.back().text, "It went away by itself.");
}

TEST_F(Book, ADeadProxyExplainsItsSymptoms) {
  apply({verdict(Type::kProxyDead, kProxy), verdict(Type::kProxyStuck, kProxy),
         verdict(Type::kNetworkDegraded, kProxy), verdict(Type::kNetworkDegraded, kCluster),
         verdict(Type::kConnectionSurge, kOtherProxy)});
  EXPECT_EQ(only().type, Type::kProxyDead);
}

TEST_F(Book, TheSymptomThatCameFirstTurnsIntoItsCause) {
  apply({verdict(Type::kNetworkDegraded, kBackend)});
  const std::string id = only().id;
  apply({verdict(Type::kNetworkDegraded, kBackend), verdict(Type::kBackendStuck, kBackend)});
  EXPECT_EQ(only().id, id);
  EXPECT_EQ(only().type, Type::kBackendStuck);
  EXPECT_EQ(only().title, "Backend amber-backend-1 is stuck");
}

TEST_F(Book, ASurgeTurnsIntoTheNetworkThatCausedIt) {
  apply({verdict(Type::kConnectionSurge, kCluster)});
  apply({verdict(Type::kConnectionSurge, kCluster), verdict(Type::kNetworkDegraded, kCluster)});
  EXPECT_EQ(only().type, Type::kNetworkDegraded);
}

TEST_F(Book, AFloodIsNotTheNetworksDoing) {
  apply({verdict(Type::kNetworkDegraded, kCluster), verdict(Type::kClientFlood, kProxy)});
  EXPECT_EQ(book.unresolved().size(), 2U);
}

TEST_F(Book, AFloodIsTheCauseOfTheSlowProxyHoweverItIsFoundOut) {
  const Scope flood{"amber", "amber-proxy-1", "", "192.0.2.7"};
  apply({verdict(Type::kMemberSlow, kProxy)});
  const std::string id = only().id;
  book.run_event(
      {RunEvent::Kind::kStarted, "run-1", "gather-evidence", id, {"amber", "", "", ""}, ""}, at());
  apply({verdict(Type::kMemberSlow, kProxy), verdict(Type::kClientFlood, flood)});
  EXPECT_EQ(only().id, id);
  EXPECT_EQ(only().type, Type::kClientFlood);
  EXPECT_EQ(only().scope.client, "192.0.2.7");
  apply({verdict(Type::kClientFlood, flood), verdict(Type::kMemberSlow, kCluster),
         verdict(Type::kOther, kProxy)});
  EXPECT_EQ(only().type, Type::kClientFlood) << "what a flood makes slow is no incident of its own";
}

TEST_F(Book, AFloodIsOfTheClientThatIsNamedNow) {
  Scope first = kProxy, second = kProxy;
  first.client = "192.0.2.7";
  second.client = "192.0.2.8";
  apply({verdict(Type::kClientFlood, first)});
  apply({verdict(Type::kClientFlood, second)});
  EXPECT_EQ(only().scope.client, "192.0.2.8");
  apply({verdict(Type::kClientFlood, second), verdict(Type::kClientFlood, first)});
  EXPECT_EQ(only().scope, kProxy) << "both at once";
  apply({verdict(Type::kClientFlood, first)});
  EXPECT_EQ(only().scope, kProxy);
}

TEST_F(Book, AFloodDoesNotExplainTheNetworkForLong) {
  const Scope flood{"amber", "amber-proxy-1", "", "192.0.2.7"};
  last({verdict(Type::kClientFlood, flood)}, 30s);
  apply({verdict(Type::kClientFlood, flood), verdict(Type::kNetworkDegraded, kOtherProxy)});
  EXPECT_EQ(book.unresolved().size(), 2U);
}

TEST_F(Book, AFloodThatHasJustBegunMayShowElsewhere) {
  const Scope flood{"amber", "amber-proxy-1", "", "192.0.2.7"};
  apply({verdict(Type::kMemberSlow, kOtherProxy), verdict(Type::kNetworkDegraded, kBackend),
         verdict(Type::kClientFlood, flood)});
  EXPECT_EQ(only().type, Type::kClientFlood);
}

TEST_F(Book, NetworkTroubleLongAfterADeathIsNews) {
  apply({verdict(Type::kProxyDead, kProxy)});
  last({verdict(Type::kProxyDead, kProxy)}, 60s);
  apply({verdict(Type::kProxyDead, kProxy), verdict(Type::kNetworkDegraded, kCluster)});
  EXPECT_EQ(book.unresolved().size(), 2U);
}

TEST_F(Book, WhatWasTakenForTheNetworkIsAMemberOnceThatIsKnown) {
  apply({verdict(Type::kNetworkDegraded, kBackend)});
  Verdict found = verdict(Type::kMemberSlow, kBackend);
  found.finding = "Echoes stayed at 0.1 ms.";
  found.sentence += " " + found.finding;
  const auto changes = apply({found});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, Change::Kind::kUpdated);
  EXPECT_EQ(only().type, Type::kMemberSlow);
  EXPECT_EQ(only().title, "Backend amber-backend-1 is slow");
  EXPECT_THAT(only().timeline.back().text, ::testing::HasSubstr(found.finding));
  const size_t told = only().timeline.size();
  last({found}, 3s);
  EXPECT_EQ(only().timeline.size(), told) << "once";
}

TEST_F(Book, AVerdictThatHasFoundNothingOutTakesNothingBack) {
  Verdict found = verdict(Type::kMemberSlow, kBackend);
  found.finding = "Echoes stayed at 0.1 ms.";
  apply({found});
  apply({verdict(Type::kNetworkDegraded, kBackend)});  // as after a restart
  EXPECT_EQ(only().type, Type::kMemberSlow);
  Verdict other = verdict(Type::kNetworkDegraded, kBackend);
  other.finding = "18 % of the echoes were lost.";
  apply({other});
  EXPECT_EQ(only().type, Type::kNetworkDegraded);
}

TEST_F(Book, WhatAPersonHasResolvedIsNotToldAnewWhenItIsKnownWhoseItIs) {
  const Verdict first = verdict(Type::kNetworkDegraded, kBackend);
  apply({first});
  ASSERT_TRUE(book.resolve(only().id, "ada", "Known and harmless.", at()).ok());
  Verdict found = verdict(Type::kMemberSlow, kBackend);
  found.rule = first.rule;
  found.finding = "Echoes stayed at 0.1 ms.";
  EXPECT_TRUE(apply({found}).empty());
  EXPECT_TRUE(book.unresolved().empty());
}

TEST_F(Book, AFindingThatComesLaterIsNotedOnce) {
  apply({verdict(Type::kNetworkDegraded, kCluster)});
  Verdict found = verdict(Type::kNetworkDegraded, kCluster);
  found.finding = "18 % of the echoes were lost.";
  last({found}, 3s);
  size_t told = 0;
  for (const auto& entry : only().timeline) told += entry.text == found.finding ? 1 : 0;
  EXPECT_EQ(told, 1U);
}

TEST_F(Book, SlowMembersOfTwoClustersShareNoCause) {
  apply({verdict(Type::kMemberSlow, kCluster),
         verdict(Type::kNetworkDegraded, {"birch", "", "", ""})});
  EXPECT_EQ(book.unresolved().size(), 2U);
}

TEST_F(Book, ScopesGrowFromProxyToClusterToSeveralClusters) {
  apply({verdict(Type::kNetworkDegraded, kProxy)});
  apply({verdict(Type::kNetworkDegraded, kCluster)});
  EXPECT_EQ(only().scope, kCluster);
  const auto changes = apply({verdict(Type::kNetworkDegraded, kCluster),
                              verdict(Type::kNetworkDegraded, {"birch", "", "", ""})});
  EXPECT_EQ(only().scope, Scope{});
  EXPECT_EQ(only().type, Type::kSeveralClusters);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, Change::Kind::kUpdated);
  EXPECT_TRUE(changes[0].notable);
}

TEST_F(Book, AGrownIncidentTakesInTheSmallerOnes) {
  apply({verdict(Type::kNetworkDegraded, {"birch", "birch-proxy-1", "", ""}),
         verdict(Type::kNetworkDegraded, kCluster)});
  EXPECT_EQ(book.unresolved().size(), 2U);
  apply({verdict(Type::kNetworkDegraded, {"birch", "", "", ""}),
         verdict(Type::kNetworkDegraded, kCluster)});
  EXPECT_EQ(only().type, Type::kSeveralClusters);
  EXPECT_EQ(book.resolved(5).size(), 1U);
}

TEST_F(Book, ARunMovesTheIncidentAndItsEndLeadsToResolved) {
  apply({verdict(Type::kProxyDead, kProxy)});
  const std::string id = only().id;
  run(RunEvent::Kind::kStarted, id, kProxy);
  EXPECT_EQ(only().state, State::kMitigating);
  EXPECT_EQ(only().runs, std::vector<std::string>{"run-1"});
  last({verdict(Type::kProxyDead, kProxy)}, 2s);
  last({}, 3s);
  EXPECT_EQ(only().state, State::kMitigating);
  run(RunEvent::Kind::kVerified, id, kProxy);
  apply({});
  EXPECT_EQ(only().state, State::kMonitoring);
  last({}, 3s);
  EXPECT_TRUE(book.unresolved().empty());
  EXPECT_EQ(book.find(id)->state, State::kResolved);
  EXPECT_NE(book.find(id)->resolved.ns, 0);
}

TEST_F(Book, AFailedRunLeavesTheIncidentOpen) {
  apply({verdict(Type::kProxyDead, kProxy)});
  run(RunEvent::Kind::kStarted, only().id, kProxy);
  run(RunEvent::Kind::kHandedOver, only().id, kProxy);
  EXPECT_EQ(only().state, State::kOpen);
  last({verdict(Type::kProxyDead, kProxy)}, 10s);
  EXPECT_EQ(only().state, State::kOpen);
}

TEST_F(Book, ARunStartedByHandExplainsItsTarget) {
  run(RunEvent::Kind::kStarted, "", kProxy);
  apply({verdict(Type::kProxyDead, kProxy), verdict(Type::kNetworkDegraded, kProxy)});
  EXPECT_TRUE(book.unresolved().empty());
  run(RunEvent::Kind::kVerified, "", kProxy);
  apply({verdict(Type::kProxyStuck, kProxy)});
  EXPECT_TRUE(book.unresolved().empty());
  last({verdict(Type::kProxyStuck, kProxy)}, 6s);
  EXPECT_EQ(only().type, Type::kProxyStuck);
}

TEST_F(Book, TheSameInferredTroubleSoonAfterReopensTheIncident) {
  apply({verdict(Type::kNetworkDegraded, kBackend)});
  const std::string id = only().id;
  last({}, 30s);
  ASSERT_TRUE(book.unresolved().empty());
  EXPECT_EQ(apply({verdict(Type::kNetworkDegraded, kBackend)})[0].kind, Change::Kind::kOpened);
  EXPECT_EQ(only().id, id);
  last({}, 30s);
  last({}, 3min);
  apply({verdict(Type::kNetworkDegraded, kBackend)});
  EXPECT_NE(only().id, id);
}

TEST_F(Book, WhatIsBackMayBeLessThanWhatWasThere) {
  apply({verdict(Type::kNetworkDegraded, kCluster)});
  const std::string id = only().id;
  last({}, 30s);
  ASSERT_TRUE(book.unresolved().empty());
  apply({verdict(Type::kNetworkDegraded, kBackend)});
  EXPECT_EQ(only().id, id);
  EXPECT_EQ(only().scope, kBackend);
  EXPECT_EQ(only().title, operator_title(Type::kNetworkDegraded, kBackend));
  apply({verdict(Type::kNetworkDegraded, kCluster)});
  EXPECT_EQ(only().scope, kCluster);
}

TEST_F(Book, ASecondEndOrHangIsAnIncidentOfItsOwnHoweverSoon) {
  for (const Type type : {Type::kBackendDead, Type::kBackendStuck}) {
    apply({verdict(type, kBackend)});
    const std::string id = only().id;
    last({}, 10s);
    ASSERT_TRUE(book.unresolved().empty());
    apply({verdict(type, kBackend)});
    EXPECT_NE(only().id, id);
    last({}, 10s);
  }
}

TEST_F(Book, TroubleThatReturnsWhileMonitoredOpensAgain) {
  apply({verdict(Type::kBackendDead, kBackend)});
  last({}, 1s);
  EXPECT_EQ(only().state, State::kMonitoring);
  apply({verdict(Type::kBackendDead, kBackend)});
  EXPECT_EQ(only().state, State::kOpen);
}

TEST_F(Book, AcknowledgingNamesThePerson) {
  apply({verdict(Type::kBackendDead, kBackend)});
  ASSERT_TRUE(book.acknowledge(only().id, "ada", at()).ok());
  EXPECT_EQ(only().acknowledged_by, "ada");
  EXPECT_EQ(book.acknowledge("inc-none", "ada", at()).code(), base::ErrorCode::kNotFound);
}

TEST_F(Book, ResolvedByHandStaysResolvedUntilTheTroubleHasBeenAway) {
  const std::vector<Verdict> trouble = {verdict(Type::kBackendDead, kBackend)};
  apply(trouble);
  const std::string id = only().id;
  ASSERT_TRUE(book.resolve(id, "ada", "Known and harmless.", at()).ok());
  EXPECT_EQ(book.resolve(id, "ada", "", at()).code(), base::ErrorCode::kConflict);
  last(trouble, 5min);
  EXPECT_TRUE(book.unresolved().empty());
  apply({});
  apply(trouble);
  EXPECT_EQ(book.unresolved().size(), 1U);
}

TEST_F(Book, AnIncidentWithAnActiveRunIsNotResolvedByHand) {
  apply({verdict(Type::kProxyDead, kProxy)});
  run(RunEvent::Kind::kStarted, only().id, kProxy);
  EXPECT_EQ(book.resolve(only().id, "ada", "", at()).code(), base::ErrorCode::kConflict);
}

TEST_F(Book, FailuresOfAThirdOfTheProxiesAreCorrelated) {
  BookPolicy policy;
  policy.correlated_window = 1min;
  book.set_policy(policy);
  apply({verdict(Type::kProxyDead, kProxy)});
  EXPECT_FALSE(book.is_correlated("amber", Type::kProxyDead, now));
  apply({verdict(Type::kProxyStuck, kOtherProxy)});
  EXPECT_TRUE(book.is_correlated("amber", Type::kProxyDead, now));
  EXPECT_FALSE(book.is_correlated("amber", Type::kBackendDead, now));
  EXPECT_FALSE(book.is_correlated("amber", Type::kProxyDead, now + 2min));
  book.set_cluster("amber", 9, 3);
  EXPECT_FALSE(book.is_correlated("amber", Type::kProxyDead, now));
}

TEST_F(Book, TheSameProxyFailingOftenIsNotCorrelated) {
  for (int i = 0; i < 5; ++i) {
    apply({verdict(Type::kProxyDead, kProxy)});
    last({}, 10s);
  }
  EXPECT_FALSE(book.is_correlated("amber", Type::kProxyDead, now));
}

TEST_F(Book, TwoClustersWithOneSymptomAreCorrelated) {
  apply({verdict(Type::kProxyDead, kProxy),
         verdict(Type::kProxyDead, {"birch", "birch-proxy-1", "", ""})});
  EXPECT_TRUE(book.is_correlated("birch", Type::kProxyDead, now));
}

TEST_F(Book, RestoredIncidentsGoOnWhereTheyWere) {
  apply({verdict(Type::kProxyDead, kProxy)});
  run(RunEvent::Kind::kStarted, only().id, kProxy);
  const auto copy = agent::incident::from_json(to_json(only()));
  ASSERT_TRUE(copy.ok()) << copy.error().context;

  IncidentBook later{BookPolicy()};
  later.restore({*copy}, at());
  later.apply({}, at());
  EXPECT_EQ(later.unresolved().at(0)->state, State::kMitigating);
  const Verdict still = verdict(Type::kProxyDead, kProxy);
  EXPECT_TRUE(later.apply({still}, {now + 1s, at().wall + 1s}).size() <= 1);
  ASSERT_EQ(later.unresolved().size(), 1U);
  EXPECT_EQ(later.unresolved()[0]->id, copy->id);
  for (int i = 2; i < 40; ++i) later.apply({}, {now + i * 1s, at().wall + i * 1s});
  EXPECT_TRUE(later.unresolved().empty());
}

TEST_F(Book, ATimelineIsBounded) {
  apply({verdict(Type::kProxyDead, kProxy)});
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(book.note(only().id, "note", std::to_string(i), at()).ok());
  }
  EXPECT_EQ(only().timeline.size(), 200U);
  EXPECT_EQ(only().timeline.front().kind, "detected");
  EXPECT_EQ(only().timeline.back().text, "499");
}

TEST_F(Book, OldResolvedIncidentsAreForgotten) {
  BookPolicy policy;
  policy.keep_resolved = 3;
  policy.reopen = 0s;
  book.set_policy(policy);
  for (int i = 0; i < 6; ++i) {
    apply({verdict(Type::kProxyDead, kProxy)});
    last({}, 8s);
  }
  EXPECT_EQ(book.resolved(100).size(), 3U);
}

TEST(IncidentJson, KeepsEverything) {
  Incident incident;
  incident.id = "inc-1";
  incident.type = Type::kClientFlood;
  incident.scope = {"amber", "p", "", "192.0.2.1"};
  incident.state = State::kMonitoring;
  incident.title = "T";
  incident.confidence = 0.75;
  incident.started = base::WallTime{1'767'225'600'123'000'000};
  incident.detected = incident.updated = incident.last_present = incident.started + 2s;
  incident.evidence = {{"s", 1, 2.5, "u"}};
  incident.timeline = {{incident.detected, "detected", "x"}};
  incident.runs = {"run-1"};
  const auto copy = agent::incident::from_json(to_json(incident));
  ASSERT_TRUE(copy.ok()) << copy.error().context;
  EXPECT_EQ(to_json(*copy), to_json(incident));
  EXPECT_EQ(copy->started, incident.started);
  EXPECT_EQ(copy->resolved.ns, 0);
}

TEST(IncidentJson, NamesTheFieldThatIsWrong) {
  Incident incident;
  incident.id = "inc-1";
  auto document = to_json(incident);
  document["started_at"] = "yesterday";
  const auto copy = agent::incident::from_json(document);
  ASSERT_FALSE(copy.ok());
  EXPECT_NE(copy.error().context.find("started_at"), std::string::npos);
  EXPECT_FALSE(agent::incident::from_json(boost::json::value(5)).ok());
}

TEST(IncidentWords, RoundTrip) {
  for (const Type type : {Type::kProxyDead, Type::kNetworkDegraded, Type::kOther}) {
    EXPECT_EQ(agent::incident::parse_type(to_string(type)), type);
  }
  EXPECT_EQ(agent::incident::parse_state("mitigating"), State::kMitigating);
  EXPECT_FALSE(agent::incident::parse_type("nonsense"));
}

}  // namespace
