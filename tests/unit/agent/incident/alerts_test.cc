#include "agent/incident/alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "agent/incident/json.h"

namespace agent::incident {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using ::testing::HasSubstr;

KnownNames region() {
  KnownNames names;
  names.clusters = {"amber", "birch"};
  names.proxies = {{"amber-proxy-1", "amber"}, {"birch-proxy-1", "birch"}};
  names.backends = {{"amber-backend-1", "amber"}};
  return names;
}

// As Debian's Alertmanager 0.25 sends it.
const char* const kMessage = R"({
  "receiver":"mcguard","status":"firing","alerts":[{"status":"firing",
  "labels":{"alertname":"McguardLatencyShift","cluster":"amber","proxy":"amber-proxy-1","severity":"critical"},
  "annotations":{"summary":"15% of the requests are slow"},
  "startsAt":"2026-11-23T07:28:17.042123456Z","endsAt":"0001-01-01T00:00:00Z",
  "generatorURL":"http://prometheus:9090/graph","fingerprint":"2b3c4d5e6f708192"}],
  "groupLabels":{"alertname":"McguardLatencyShift"},"commonLabels":{},"commonAnnotations":{},
  "externalURL":"http://alertmanager:9093","version":"4","groupKey":"{}:{}","truncatedAlerts":0})";

json::object message(const std::string& alert) {
  return json::parse(R"({"version":"4","alerts":[)" + alert + "]}").as_object();
}

std::string alert(const std::string& fingerprint, const std::string& labels = "",
                  const std::string& status = "firing") {
  return R"({"status":")" + status + R"(","labels":{"alertname":"A")" + labels +
         R"(},"startsAt":"2026-11-23T07:28:17Z","fingerprint":")" + fingerprint + "\"}";
}

std::string error(const json::object& sent) {
  const auto parsed = parse_alerts(sent, region());
  return parsed ? "" : parsed.error().context;
}

Scope scope(const std::string& labels) {
  return parse_alerts(message(alert("1", labels)), region()).value().at(0).scope;
}

TEST(ParseAlerts, ReadsWhatAlertmanagerSends) {
  const auto parsed = parse_alerts(json::parse(kMessage).as_object(), region());
  ASSERT_TRUE(parsed.ok()) << parsed.error().context;
  ASSERT_EQ(parsed->size(), 1u);
  const Alert& first = parsed->at(0);
  EXPECT_EQ(first.fingerprint, "2b3c4d5e6f708192");
  EXPECT_EQ(first.name, "McguardLatencyShift");
  EXPECT_EQ(first.summary, "15% of the requests are slow");
  EXPECT_EQ(first.scope, (Scope{"amber", "amber-proxy-1", "", ""}));
  EXPECT_EQ(first.starts.to_rfc3339(), "2026-11-23T07:28:17.042Z");
  EXPECT_TRUE(first.firing);
}

TEST(ParseAlerts, AnEndNeedsNothingButTheFingerprint) {
  const auto parsed =
      parse_alerts(message(R"({"status":"resolved","fingerprint":"ab"})"), region());
  ASSERT_TRUE(parsed.ok()) << parsed.error().context;
  EXPECT_FALSE(parsed->at(0).firing);
}

TEST(ParseAlerts, ReadsTimesOfOtherZones) {
  const auto at = [](const std::string& time) {
    const auto parsed = parse_alerts(
        message(R"({"status":"firing","labels":{"alertname":"A"},"fingerprint":"1","startsAt":")" +
                time + "\"}"),
        region());
    return parsed ? parsed->at(0).starts.to_rfc3339() : parsed.error().context;
  };
  EXPECT_EQ(at("2026-11-23T08:28:17.5+01:00"), "2026-11-23T07:28:17.500Z");
  EXPECT_EQ(at("2026-11-23T01:58:17-05:30"), "2026-11-23T07:28:17.000Z");
  for (const char* wrong : {"", "yesterday", "2026-11-23T07:28:17", "2026-11-23T07:28:17.Z",
                            "2026-11-23T07:28:17+1", "2026-11-23T07:28:17Zulu"}) {
    EXPECT_THAT(at(wrong), HasSubstr("alerts[0].startsAt: expected a time like")) << wrong;
  }
}

TEST(ParseAlerts, SaysWhatIsWrong) {
  EXPECT_THAT(error({}), HasSubstr("version: expected \"4\""));
  EXPECT_THAT(error({{"version", "3"}, {"alerts", json::array{}}}), HasSubstr("version:"));
  EXPECT_EQ(error({{"version", "4"}}), "alerts: expected an array");
  EXPECT_EQ(error(message("7")), "alerts[0]: expected an object");
  EXPECT_EQ(error(message(R"({"status":"maybe"})")),
            "alerts[0].status: expected firing or resolved");
  for (const std::string& fingerprint : {std::string(), std::string("xyz"), std::string(65, 'a')}) {
    EXPECT_EQ(error(message(alert(fingerprint))),
              "alerts[0].fingerprint: expected 1 to 64 hexadecimal digits");
  }
  EXPECT_EQ(error(message(R"({"status":"firing","fingerprint":"1"})")),
            "alerts[0].labels: expected an object of strings");
  EXPECT_EQ(error(message(R"({"status":"firing","fingerprint":"1","labels":{"alertname":7}})")),
            "alerts[0].labels.alertname: expected a name");
  json::array many(1025, json::value(nullptr));
  EXPECT_THAT(error({{"version", "4"}, {"alerts", many}}), HasSubstr("set max_alerts"));
}

TEST(ParseAlerts, ScopeNamesOnlyWhatThereIs) {
  EXPECT_EQ(scope(""), Scope{});
  EXPECT_EQ(scope(R"(,"cluster":"amber")"), (Scope{"amber", "", "", ""}));
  EXPECT_EQ(scope(R"(,"proxy":"birch-proxy-1")"), (Scope{"birch", "birch-proxy-1", "", ""}));
  EXPECT_EQ(scope(R"(,"cluster":"amber","backend":"amber-backend-1")"),
            (Scope{"amber", "", "amber-backend-1", ""}));
  EXPECT_EQ(scope(R"(,"proxy":"birch-proxy-1","backend":"amber-backend-1")"),
            (Scope{"birch", "birch-proxy-1", "", ""}));
  EXPECT_EQ(scope(R"(,"cluster":"elsewhere","proxy":"nobody")"), Scope{});
}

TEST(ParseAlerts, CutsTextsBetweenCharactersAndMakesThemOneLine) {
  std::string euros;
  for (int i = 0; i < 200; ++i) euros += "€";
  const auto parsed = parse_alerts(
      message(R"({"status":"firing","fingerprint":"1","startsAt":"2026-11-23T07:28:17Z",)"
              R"("labels":{"alertname":"a\nb"},"annotations":{"summary":")" +
              euros + "\"}}"),
      region());
  ASSERT_TRUE(parsed.ok()) << parsed.error().context;
  EXPECT_EQ(parsed->at(0).name, "a b");
  EXPECT_EQ(parsed->at(0).summary.size(), 300u);
}

class AlertsOfABook : public testing::Test {
 protected:
  Moment at() const { return {now, base::WallTime{1'795'418'897'000'000'000 + now.ns}}; }
  base::Result<Alerts::Received> receive(const std::string& items) {
    return alerts.receive(parse_alerts(message(items), region()).value(), at());
  }
  // The agent's own verdicts beside those of the alerts.
  void pass(base::Duration length, const std::vector<Verdict>& own = {}) {
    for (const base::Instant end = now + length; now < end; now = now + 100ms) {
      std::vector<Verdict> verdicts = alerts.verdicts(now);
      verdicts.insert(verdicts.end(), own.begin(), own.end());
      (void)book.apply(verdicts, at());
    }
  }
  Verdict verdict(Type type, Scope where) const {
    Verdict own;
    own.rule = to_string(type);
    own.type = type;
    own.scope = std::move(where);
    own.since = now;
    own.sentence = "It is so.";
    return own;
  }

  Alerts alerts;
  IncidentBook book{BookPolicy{}};
  base::Instant now{100'000'000'000};
};

TEST_F(AlertsOfABook, OpenOneIncidentEachUntilTheyAreResolved) {
  // Alertmanager repeats, and groups.
  ASSERT_TRUE(receive(alert("a1", R"(,"cluster":"amber")")).ok());
  ASSERT_TRUE(
      receive(alert("a1", R"(,"cluster":"amber")") + "," + alert("b2", R"(,"cluster":"amber")"))
          .ok());
  pass(1s);
  ASSERT_EQ(book.unresolved().size(), 2u);
  const Incident first = *book.unresolved()[1];
  EXPECT_EQ(first.type, Type::kOther);
  EXPECT_EQ(first.state, State::kOpen);
  EXPECT_EQ(first.title, "A");
  EXPECT_EQ(first.alert, "a1");
  EXPECT_EQ(from_json(to_json(first)).value().alert, "a1");

  const auto taken = receive(alert("a1", "", "resolved") + "," + alert("c3", "", "resolved"));
  EXPECT_EQ(taken->resolved, 1u) << "one that is not known is nobody's end";
  pass(30s);
  EXPECT_EQ(book.find(first.id)->state, State::kResolved);
  ASSERT_EQ(book.unresolved().size(), 1u);
  EXPECT_EQ(book.unresolved()[0]->alert, "b2");
}

TEST_F(AlertsOfABook, OneThatComesBackSoonReopensItsIncident) {
  ASSERT_TRUE(receive(alert("a1")).ok());
  pass(1s);
  const std::string id = book.unresolved().at(0)->id;
  ASSERT_TRUE(receive(alert("a1", "", "resolved")).ok());
  pass(40s);
  ASSERT_TRUE(receive(alert("a1")).ok());
  pass(1s);
  EXPECT_EQ(book.unresolved().at(0)->id, id);
}

TEST_F(AlertsOfABook, AreExplainedByTheIncidentOfTheirProxy) {
  ASSERT_TRUE(receive(alert("a1", R"(,"proxy":"amber-proxy-1")") + "," +
                      alert("b2", R"(,"cluster":"amber")"))
                  .ok());
  pass(2s, {verdict(Type::kProxyDead, {"amber", "amber-proxy-1", "", ""})});
  ASSERT_EQ(book.unresolved().size(), 1u);
  const Incident& dead = *book.unresolved()[0];
  EXPECT_EQ(dead.type, Type::kProxyDead);
  int told = 0;
  for (const TimelineEntry& entry : dead.timeline) {
    told += entry.text.starts_with("Alertmanager says") ? 1 : 0;
  }
  EXPECT_EQ(told, 2) << "each once, where its cause is";
}

// In an outage of the network every proxy has its alert; they are one incident.
TEST_F(AlertsOfABook, WithinADegradedNetworkOpenNothing) {
  ASSERT_TRUE(receive(alert("a1", R"(,"proxy":"amber-proxy-1")") + "," +
                      alert("b2", R"(,"proxy":"birch-proxy-1")"))
                  .ok());
  pass(2s, {verdict(Type::kNetworkDegraded, {"amber", "", "", ""})});
  ASSERT_EQ(book.unresolved().size(), 2u);
  EXPECT_EQ(book.unresolved()[0]->alert, "b2") << "another cluster's is its own incident";
}

// Prometheus looks at minutes, so that its alert outlives what the agent has repaired.
TEST_F(AlertsOfABook, AboutWhatIsOverOpenNothingUntilTheyShouldHaveEnded) {
  pass(2s, {verdict(Type::kBackendDead, {"amber", "", "amber-backend-1", ""})});
  pass(30s);
  ASSERT_TRUE(book.unresolved().empty());
  ASSERT_TRUE(receive(alert("a1", R"(,"backend":"amber-backend-1")")).ok());
  pass(60s);
  EXPECT_TRUE(book.unresolved().empty());
  pass(120s);
  EXPECT_EQ(book.unresolved().size(), 1u);
}

TEST_F(AlertsOfABook, OneResolvedByHandStaysAwayUntilItHasBeenAway) {
  ASSERT_TRUE(receive(alert("a1")).ok());
  pass(1s);
  ASSERT_TRUE(book.resolve(book.unresolved().at(0)->id, "me", "known", at()).ok());
  ASSERT_TRUE(receive(alert("a1")).ok());
  pass(1s);
  EXPECT_TRUE(book.unresolved().empty());
  ASSERT_TRUE(receive(alert("a1", "", "resolved")).ok());
  pass(1s);
  ASSERT_TRUE(receive(alert("a1")).ok());
  pass(1s);
  EXPECT_EQ(book.unresolved().size(), 1u);
}

TEST_F(AlertsOfABook, GoOnAfterARestart) {
  ASSERT_TRUE(receive(alert("a1", R"(,"cluster":"birch")")).ok());
  pass(1s);
  const Incident before = *book.unresolved().at(0);
  alerts = Alerts();
  IncidentBook next{BookPolicy{}};
  next.restore({before}, at());
  alerts.restore(next.unresolved(), now);
  for (int i = 0; i < 1000; ++i, now = now + 100ms) (void)next.apply(alerts.verdicts(now), at());
  ASSERT_EQ(next.unresolved().size(), 1u);
  EXPECT_EQ(next.unresolved()[0]->id, before.id);
  EXPECT_EQ(next.unresolved()[0]->state, State::kOpen);
  EXPECT_EQ(next.unresolved()[0]->title, before.title);
}

TEST_F(AlertsOfABook, AreBoundedAndTheEndMakesRoom) {
  std::string items;
  for (size_t i = 0; i < Alerts::kMost; ++i) {
    items += (i == 0 ? "" : ",") + alert(std::to_string(100'000 + i));
  }
  ASSERT_TRUE(receive(items).ok());
  const auto full = receive(alert("f1") + "," + alert("f2"));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.code(), base::ErrorCode::kExhausted);
  EXPECT_THAT(full.error().context, HasSubstr("2 of this message were not taken"));
  EXPECT_TRUE(receive(alert("f1") + "," + alert("100000", "", "resolved")).ok());
  EXPECT_EQ(alerts.size(), Alerts::kMost);
}

TEST_F(AlertsOfABook, OneThatNobodyRepeatsIsForgotten) {
  ASSERT_TRUE(receive(alert("a1")).ok());
  now = now + Alerts::kForget;
  EXPECT_TRUE(alerts.verdicts(now).empty());
  EXPECT_EQ(alerts.size(), 0u);
}

}  // namespace
}  // namespace agent::incident
