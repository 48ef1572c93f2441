#include "cli/verbs/views.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/verbs/run_views.h"
#include "cli/verbs/top.h"

namespace cli {
namespace {

boost::json::object parsed(const char* text) {
  return boost::json::parse(text).as_object();
}

View view() {
  return {Terminal(), base::WallTime{1'795'418'897'000'000'000}};
}

constexpr const char* kStatus = R"({
  "region":"local","gameday":true,
  "agent":{"pid":7,"version":"0.1.0","uptime_seconds":12.5},
  "clusters":[{"name":"amber","state":"degraded","epoch":3,"prepared_epoch":4,
    "proxies":[{"id":"amber-proxy-1","address":"127.0.1.1","port":11211,"pid":8,"state":"up",
                "connections":1200,"requests_per_second":10.0,"p99_seconds":0.0015,"slow_share":0.1,
                "since":"2026-11-23T07:27:17.000Z"},
               {"id":"amber-proxy-2","state":"dead"}],
    "backends":[{"id":"amber-backend-1","state":"up","bytes":1048576,"slots":8192}]}],
  "incidents":[{"id":"i1","type":"proxy_dead","title":"Proxy amber-proxy-2 is dead","state":"open",
                "scope":{"cluster":"amber","proxy":"amber-proxy-2"},
                "detected_at":"2026-11-23T07:28:07.000Z"},
               {"id":"i0","title":"old","state":"resolved"}],
  "runs":[{"id":"r1","runbook":"replace-proxy","state":"running","incident":"i1","step":"spawn"}]})";

TEST(Views, StatusShowsWhatRunsAndWhatIsWrong) {
  const std::string text = status_view(parsed(kStatus), view());
  for (const char* part :
       {"region local", "process 7", "game day", "amber    degraded    3→4  1/2      1/1", "1,200",
        "1.5 ms", "10.0%", "60s", "1.0 MiB", "8,192", "Proxy amber-proxy-2 is dead",
        "proxy amber-proxy-2", "replace-proxy"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
  EXPECT_EQ(text.find("old"), std::string::npos) << "resolved ones are for incident list";
}

TEST(Views, StatusTellsThatTheAgentDoesLessAndWhy) {
  auto status = parsed(kStatus);
  EXPECT_EQ(status_view(status, view()).find("brown-out"), std::string::npos);
  auto& agent = status["agent"].as_object();
  agent["brown_out"] = "lean";
  agent["brown_out_why"] = "the host's cores are 99 % busy and the agent is woken 61.0 ms late";
  EXPECT_NE(status_view(status, view())
                .find("brown-out: lean, the host's cores are 99 % busy and the agent is woken"),
            std::string::npos);
}

TEST(Views, PausesAreInTheStatusAndAPlanSaysThatThereIsOne) {
  auto status = parsed(kStatus);
  EXPECT_EQ(status_view(status, view()).find("PAUSE"), std::string::npos);
  status["pauses"] = boost::json::parse(R"([{"id":"pause-1","cluster":"amber","runbook":"",
      "owner":"operator:ann","reason":"changing the switch","from":"2026-11-23T07:00:00.000Z",
      "until":"2026-11-23T09:00:00.000Z","in_force":true}])");
  const std::string text = status_view(status, view());
  for (const char* part :
       {"pause-1", "in force", "amber", "all", "09:00:00", "operator:ann", "changing the switch"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
  EXPECT_NE(plan_view(parsed(R"({"runbook":"flush","paused":"paused until 9 by ann"})"), view())
                .find("note: paused until 9 by ann"),
            std::string::npos);
}

TEST(Views, AnEmptyAnswerIsNoReasonToFail) {
  EXPECT_NE(status_view({}, view()).find("no incident"), std::string::npos);
  EXPECT_EQ(incidents_view({}, view()), "no incidents\n");
  EXPECT_EQ(runs_view({}, view()), "no runs\n");
  EXPECT_FALSE(incident_view({}, view()).empty());
  EXPECT_FALSE(plan_view({}, view()).empty());
  EXPECT_FALSE(run_view({}, view()).empty());
}

TEST(Views, AListMayComeBareOrUnderItsName) {
  EXPECT_EQ(items_of(boost::json::parse(R"({"runs":[1]})"), "runs").size(), 1u);
  EXPECT_EQ(items_of(boost::json::parse("[1,2]"), "runs").size(), 2u);
  EXPECT_EQ(items_of(boost::json::parse("3"), "runs").size(), 0u);
}

TEST(Views, APlanSaysWhyItWouldNotRun) {
  const std::string text =
      plan_view(parsed(R"({"runbook":"replace-proxy","version":1,"class":"disruptive","hash":"abc",
        "params":{"proxy":"amber-proxy-1"},
        "guards":[{"guard":"healthy_after >= 1","answer":"no","reason":"0 would be left"}],
        "steps":[{"id":"spawn","do":"provider.create","class":"disruptive","undo":"provider.destroy"}],
        "predicted":{"healthy":1},"hold":"guard","hold_text":"healthy_after >= 1 says no"})"),
                view());
  for (const char* part : {"hash abc", "amber-proxy-1", "0 would be left", "provider.destroy",
                           "would not run now (guard): healthy_after >= 1 says no"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

TEST(Views, ConnectionsAreGroupedAsAsked) {
  EXPECT_EQ(
      connections_view(
          parsed(R"({"by":"client","rows":[{"client":"10.0.0.1","connections":1200}]})"), view()),
      "CLIENT    CONNS\n10.0.0.1  1,200\n");
}

TEST(Views, TopDrawsNoMoreLinesThanTheScreenHas) {
  EXPECT_EQ(screen_picture("a\nb\nc\n", 2), "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
  EXPECT_EQ(screen_picture("a", 24), "\x1b[Ha\x1b[K\x1b[J");
}

}  // namespace
}  // namespace cli
