#include "cli/region/announce.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/region/watch.h"

namespace cli {
namespace {

boost::json::object parsed(const char* text) {
  return boost::json::parse(text).as_object();
}

TEST(Announcement, ShowsUrlsCredentialsAndALineToPaste) {
  const std::string text = announcement(parsed(
      R"({"urls":{"operator":"http://127.0.0.1:7480","status":"http://127.0.0.1:7481"},
          "cache":{"id":1,"username":"user","password":"it's","servers":["127.0.1.1:11211","127.0.1.2:11211"]}})"));
  EXPECT_NE(text.find("http://127.0.0.1:7481"), std::string::npos);
  EXPECT_NE(text.find("127.0.1.1:11211,127.0.1.2:11211"), std::string::npos);
  EXPECT_NE(text.find("/dev/tcp/127.0.1.1/11211"), std::string::npos);
  EXPECT_NE(text.find("'it'\\''s'"), std::string::npos) << "quoted for a shell";
}

TEST(Announcement, ShowsWhereNoPasswordIsNeeded) {
  const std::string text = announcement(parsed(
      R"({"clusters":[{"name":"amber","open":"127.0.1.1:11213"},{"name":"birch"}],"cache":{}})"));
  EXPECT_NE(text.find("no password       127.0.1.1:11213\n"), std::string::npos) << text;
  EXPECT_EQ(
      announcement(parsed(R"({"clusters":[{"name":"amber"}],"cache":{}})")).find("password  127"),
      std::string::npos);
}

TEST(Announcement, TakesServersAsOneText) {
  const std::string text =
      announcement(parsed(R"({"cache":{"servers":"127.0.1.1:1,127.0.1.2:2"}})"));
  EXPECT_NE(text.find("/dev/tcp/127.0.1.1/1;"), std::string::npos);
}

TEST(ChangeLines, TellsEachChangeOnce) {
  ChangeLines changes;
  const auto first = parsed(
      R"({"incidents":[{"id":"i1","state":"open","title":"Proxy p is dead"},
                       {"id":"i0","state":"resolved","title":"old"}],"runs":[]})");
  const auto lines = changes.update(first);
  ASSERT_EQ(lines.size(), 1u) << "what was resolved before is no news";
  EXPECT_EQ(lines[0], "incident i1 open: Proxy p is dead");
  EXPECT_TRUE(changes.update(first).empty());
  const auto second = parsed(
      R"({"incidents":[{"id":"i1","state":"resolved","title":"Proxy p is dead"},
                       {"id":"i0","state":"resolved","title":"old"}],
          "runs":[{"id":"r1","state":"finished","outcome":"completed","runbook":"replace-proxy","incident":"i1"}]})");
  EXPECT_EQ(
      changes.update(second),
      (std::vector<std::string>{"incident i1 resolved: Proxy p is dead",
                                "run r1 finished (completed): runbook replace-proxy for i1"}));
}

TEST(ChangeLines, AnIncidentThatCameAndWentBetweenTwoLooksIsTold) {
  ChangeLines changes;
  (void)changes.update(parsed(R"({"incidents":[],"runs":[]})"));
  const auto lines = changes.update(
      parsed(R"({"incidents":[{"id":"i1","state":"resolved","title":"short"}],"runs":[]})"));
  EXPECT_EQ(lines.size(), 1u);
}

TEST(RegionWatch, ReadsReadinessInWhateverForm) {
  EXPECT_TRUE(is_ready(parsed(R"({"ready":true})")));
  EXPECT_FALSE(is_ready(parsed(R"({"ready":"yes"})")));
  EXPECT_EQ(waiting_for(parsed(R"({"waiting_for":["a","b"]})")), "a, b");
  EXPECT_EQ(waiting_for(parsed(R"({"waiting_for":"a"})")), "a");
  EXPECT_EQ(waiting_for(parsed("{}")), "");
}

}  // namespace
}  // namespace cli
