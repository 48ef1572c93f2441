#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/publish/render.h"
#include "tests/unit/agent/publish/page_samples.h"

namespace agent::publish {
namespace {

using incident::State;
using incident::Type;
using test::sample_incident;
using test::sample_page;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHostile = "</title><script>alert(1)</script>\" onload='x' & ]]>";

ReportedIncident hostile(State state) {
  ReportedIncident reported =
      sample_incident(Type::kProxyDead, state, {"opened", "run", "monitoring"});
  reported.wording = {kHostile, kHostile, kHostile, kHostile, kHostile};
  return reported;
}

size_t count(const std::string& text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(PageHtml, NeverLetsAnIncidentsTextBecomeMarkup) {
  PageModel model = sample_page({hostile(State::kOpen), hostile(State::kResolved)});
  model.identity.name = kHostile;
  model.incidents[1].id = "inc-2";
  for (const auto& [path, content] : render_page(model)) {
    if (path.ends_with(".json")) continue;
    SCOPED_TRACE(path);
    EXPECT_THAT(content, Not(HasSubstr("<script>alert")));
    EXPECT_THAT(content, Not(HasSubstr("\" onload")));
    EXPECT_THAT(content, HasSubstr("&lt;script&gt;alert(1)"));
  }
}

TEST(PageHtml, FramesTheBannerSoThatItCanBeReplaced) {
  const FileSet files = render_page(sample_page({hostile(State::kOpen)}));
  for (const char* path : {"index.html", "history.html", "incidents/inc-20260101-000140-1.html"}) {
    const std::string& page = files.at(path);
    SCOPED_TRACE(path);
    EXPECT_EQ(count(page, kStatusBegin), 1u);
    EXPECT_EQ(count(page, kStatusEnd), 1u);
    const std::string banner =
        page.substr(page.find(kStatusBegin), page.find(kStatusEnd) - page.find(kStatusBegin));
    EXPECT_THAT(banner, HasSubstr("Partial System Outage"));
    EXPECT_THAT(banner, HasSubstr("Updated at"));
    EXPECT_THAT(banner, HasSubstr("valid until"));
    EXPECT_EQ(count(page, "Partial System Outage"), 1u) << "the state is said in the banner only";
    EXPECT_THAT(page, HasSubstr("http-equiv=\"refresh\""));
  }
}

TEST(PageHtml, AsksNobodyElseForAnything) {
  for (const auto& [path, content] : render_page(sample_page({hostile(State::kOpen)}))) {
    if (!path.ends_with(".html")) continue;
    SCOPED_TRACE(path);
    EXPECT_THAT(content, Not(HasSubstr("http://")));
    EXPECT_THAT(content, Not(HasSubstr("https://")));
    EXPECT_THAT(content, Not(HasSubstr("@import")));
    EXPECT_THAT(content, Not(HasSubstr("src=")));
    EXPECT_THAT(content, Not(HasSubstr("{{")));
    EXPECT_LT(content.size(), 50'000u);
  }
}

TEST(PageHtml, AResolvedIncidentsPageStaysAsItIs) {
  PageModel model = sample_page({sample_incident(Type::kProxyDead, State::kResolved,
                                                 {"opened", "run", "monitoring", "resolved"})});
  const std::string path = "incidents/inc-20260101-000140-1.html";
  const std::string before = render_page(model).at(path);
  EXPECT_THAT(before, Not(HasSubstr(std::string(kStatusBegin))));
  EXPECT_THAT(before, HasSubstr("Lasted"));
  model.generated = test::at_second(9000);
  EXPECT_EQ(render_page(model).at(path), before);
}

TEST(PageHtml, SaysSoWhenNothingHasHappened) {
  const FileSet files = render_page(sample_page({}));
  EXPECT_THAT(files.at("index.html"), HasSubstr("All Systems Operational"));
  EXPECT_THAT(files.at("index.html"), HasSubstr("No incident has been reported"));
  EXPECT_THAT(files.at("history.html"), HasSubstr("No incident has been reported"));
}

TEST(PageHtml, ListsWhatHappensNowWithItsUpdates) {
  const FileSet files = render_page(
      sample_page({sample_incident(Type::kProxyDead, State::kMitigating, {"opened", "run"})}));
  const std::string& index = files.at("index.html");
  EXPECT_THAT(index, HasSubstr("Happening now"));
  EXPECT_THAT(index, HasSubstr("Some connections fail on cluster amber"));
  EXPECT_LT(index.find(">Identified<"), index.find(">Investigating<"));
}

TEST(PageAtom, HasAStableEntryPerIncident) {
  const std::string feed = render_atom(sample_page({hostile(State::kOpen)}));
  EXPECT_TRUE(feed.starts_with("<?xml"));
  EXPECT_THAT(feed, HasSubstr("<id>tag:status.example.com,2005:/history</id>"));
  EXPECT_THAT(feed,
              HasSubstr("<id>tag:status.example.com,2005:Incident/inc-20260101-000140-1</id>"));
  EXPECT_THAT(feed, HasSubstr("<published>2026-01-01T00:01:40.000Z</published>"));
  EXPECT_THAT(feed, HasSubstr("&lt;strong&gt;Investigating&lt;/strong&gt;"));
}

}  // namespace
}  // namespace agent::publish
