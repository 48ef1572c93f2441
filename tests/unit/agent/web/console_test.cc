#include "agent/web/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/support/fake_operator_api.h"

namespace agent::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string region_page(const json::value& status) {
  return console_region(status, History(), ConsolePart::kPage);
}

TEST(Console, ShowsClustersProxiesAndBackendsWithTheirFigures) {
  const std::string page = region_page(test::sample_status());
  for (const char* text :
       {"amber-proxy-1", "127.0.1.2:11211", "1,204", "48,212", "310 µs", "4.2 ms", "2.1 %",
        "amber-backend-1", "16,384", "1.25 M", "512.0 MiB of 1.0 GiB", "epoch 7", "preparing 8",
        "open listener 127.0.1.1:11213", "game day", "1 h 2 min"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(Console, ShowsStatesByWordsAndShapes) {
  const std::string page = region_page(test::sample_status());
  EXPECT_THAT(page, HasSubstr("<use href=\"#i-bad\"/></svg>dead"));
  EXPECT_THAT(page, HasSubstr("<use href=\"#i-good\"/></svg>up"));
  EXPECT_THAT(page, HasSubstr("<use href=\"#i-warn\"/></svg>ejected"));
}

TEST(Console, LinksIncidentsAndRuns) {
  const std::string page = region_page(test::sample_status());
  EXPECT_THAT(page, HasSubstr("<a href=\"/incidents/inc-20261123-075958-1\">Proxy amber-proxy-1 is "
                              "dead</a>"));
  EXPECT_THAT(page, HasSubstr("<a href=\"/runs/run-20261123-070010-100-flush\">flush</a>"));
  EXPECT_THAT(page, HasSubstr("2 s ago"));
  EXPECT_THAT(page, HasSubstr("12 min"));
}

TEST(Console, SaysHowToApproveARunThatWaits) {
  EXPECT_THAT(region_page(test::sample_status()),
              HasSubstr("mcguard runbook approve run-20261123-075958-400-replace-proxy"));
}

TEST(Console, ShowsTheStepAtWhichTheAgentSpares) {
  json::value status = test::sample_status();
  EXPECT_THAT(region_page(status), Not(HasSubstr("brown-out")));
  json::object& agent = status.at("agent").get_object();
  agent["brown_out"] = "full";
  agent["brown_out_why"] = "";
  EXPECT_THAT(region_page(status), Not(HasSubstr("brown-out")));
  agent["brown_out"] = "lean";
  agent["brown_out_why"] = "the host is 99 % busy & the agent is woken 70 ms late";
  EXPECT_THAT(
      region_page(status),
      HasSubstr("<span class=\"state warn\">brown-out: lean</span><span>the host is 99 % busy "
                "&amp; the agent is woken 70 ms late</span>"));
}

TEST(Console, ShowsWhatIsPausedAndHowToLiftIt) {
  json::value status = test::sample_status();
  EXPECT_THAT(region_page(status), Not(HasSubstr("paused")));
  status.get_object()["pauses"] = json::parse(R"([
      {"id":"pause-1","cluster":"amber","runbook":"","owner":"operator:ann","reason":"a <new> switch",
       "from":"2026-11-23T07:00:00.000Z","until":"2026-11-23T09:00:00.000Z","in_force":true},
      {"id":"pause-2","cluster":"","runbook":"flush","owner":"operator:bob","reason":"later",
       "from":"2026-11-24T07:00:00.000Z","until":"2026-11-24T09:00:00.000Z","in_force":false}])");
  const std::string page = region_page(status);
  EXPECT_THAT(page, HasSubstr("<b>amber is paused until 23 Nov 2026, 09:00:00 UTC.</b>"));
  EXPECT_THAT(page, HasSubstr("a &lt;new&gt; switch · operator:ann"));
  EXPECT_THAT(page, HasSubstr("<code>mcguard pause lift pause-1</code>"));
  EXPECT_THAT(page, HasSubstr("<b>flush will be paused from 24 Nov 2026, 07:00:00 UTC.</b> "
                              "mcguard will start nothing there by itself then."));
}

TEST(Console, SaysSoWhenThereIsNothing) {
  const std::string page =
      region_page(json::parse(R"({"region":"new","clusters":[],"incidents":[],"runs":[]})"));
  for (const char* text :
       {"No open incident.", "No cluster is set up.", "No runbook has run yet.", "None yet."}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(Console, SurvivesDocumentsOfAnyShape) {
  for (const char* text : {"null", "[]", "{}", "7", R"({"clusters":[null,1,{}],"incidents":[[]],
                           "runs":["x"],"agent":[]})"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(region_page(json::parse(text)), HasSubstr("</html>"));
    EXPECT_THAT(console_incident(json::parse(text), ConsolePart::kPage), HasSubstr("</html>"));
    EXPECT_THAT(console_run(json::parse(text), ConsolePart::kPage), HasSubstr("</html>"));
  }
}

// Puts a hostile text in the place of every string of a document, but for times.
void poison(json::value& value) {
  if (value.is_string()) {
    value = "<script>x</script>\"onload='y'<!--main-->{{BANNER}}";
  } else if (value.is_array()) {
    for (json::value& item : value.get_array()) poison(item);
  } else if (value.is_object()) {
    for (auto& member : value.get_object()) {
      const std::string_view key = member.key();
      if (!key.ends_with("_at") && key != "since") poison(member.value());
    }
  }
}

TEST(Console, NeverLetsATextBecomeMarkup) {
  json::value status = test::sample_status();
  json::value incident = test::sample_incident_document(), run = test::sample_run_document();
  for (json::value* document : {&status, &incident, &run}) poison(*document);
  for (const std::string& page :
       {region_page(status), console_incident(incident, ConsolePart::kPage),
        console_run(run, ConsolePart::kPage),
        console_problem("<script>", "<b>", ConsolePart::kPage)}) {
    EXPECT_THAT(page, Not(HasSubstr("<script>")));
    EXPECT_THAT(page, Not(HasSubstr("\"onload")));
    EXPECT_THAT(page, Not(HasSubstr("<b><")));
    EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
    EXPECT_THAT(page, Not(HasSubstr("<!--main-->")));
  }
}

TEST(Console, GivesItsMainPartAlone) {
  const std::string main = console_region(test::sample_status(), History(), ConsolePart::kMain);
  EXPECT_TRUE(main.starts_with("<main>")) << main.substr(0, 40);
  EXPECT_THAT(main, Not(HasSubstr("<html")));
}

TEST(Console, DrawsTheLastFiveMinutes) {
  History history;
  history.add({{"amber", "amber-proxy-2", 48211.5}});
  EXPECT_THAT(console_region(test::sample_status(), history, ConsolePart::kMain),
              HasSubstr("points=\"149,2.0\""));
}

TEST(Console, TellsAnIncidentsTimelineAndEvidence) {
  const std::string page = console_incident(test::sample_incident_document(), ConsolePart::kPage);
  for (const char* text : {"the process of amber-proxy-1 has ended", "10 ms", "300 µs",
                           "mcguard incident ack inc-20261123-075958-1",
                           "/runs/run-20261123-075958-400-replace-proxy"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(Console, TellsARunsStepsAndGuards) {
  const std::string page = console_run(test::sample_run_document(), ConsolePart::kPage);
  for (const char* text : {"provider.destroy", "verified", "2 of 2 would be healthy",
                           "no telemetry", "awaiting approval"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

}  // namespace
}  // namespace agent::web
