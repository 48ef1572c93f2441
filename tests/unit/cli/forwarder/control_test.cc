#include "cli/forwarder/control.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace cli {
namespace {

using namespace std::chrono_literals;

boost::json::object parsed(const char* text) {
  return boost::json::parse(text).as_object();
}

TEST(ForwarderControl, ReadsLinks) {
  const auto links = parse_links(parsed(
      R"({"links":[{"id":"l","cluster":"amber","proxy":"p","backend":"b",
          "listen":{"address":"127.0.1.11","port":11240},"target":{"address":"127.0.1.11","port":11214}}]})"));
  ASSERT_TRUE(links.ok()) << links.error().to_string();
  EXPECT_EQ((*links)[0].name.backend, "b");
  EXPECT_EQ((*links)[0].target.port, 11214);
}

TEST(ForwarderControl, ALinkMayCarryEchoes) {
  const std::string begin = R"({"links":[{"id":"l","listen":{"address":"127.0.1.11","port":1},)"
                            R"("target":{"address":"127.0.1.11","port":2})";
  const auto without = parse_links(parsed((begin + "}]}").c_str()));
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE((*without)[0].echo);
  const auto with =
      parse_links(parsed((begin + R"(,"echo":{"address":"127.0.0.1","port":7483}}]})").c_str()));
  ASSERT_TRUE(with.ok());
  EXPECT_EQ((*with)[0].echo, (LinkPlace{"127.0.0.1", 7483}));
  EXPECT_EQ(parse_links(parsed((begin + R"(,"echo":7483}]})").c_str())).code(),
            base::ErrorCode::kInvalid);
}

TEST(ForwarderControl, RefusesWhatIsNoLink) {
  for (const char* text :
       {"{}", R"({"links":{}})", R"({"links":[1]})", R"({"links":[{"id":""}]})",
        R"({"links":[{"id":"l","listen":{"address":"x","port":70000},"target":{}}]})"}) {
    EXPECT_EQ(parse_links(parsed(text)).code(), base::ErrorCode::kInvalid) << text;
  }
}

TEST(ForwarderControl, ReadsFaults) {
  const auto fault = parse_fault(parsed(
      R"({"id":"f","kind":"slow","match":{"cluster":"amber"},"share":0.15,"delay_min_ms":5,"delay_max_ms":15})"));
  ASSERT_TRUE(fault.ok()) << fault.error().to_string();
  EXPECT_EQ(fault->cluster, "amber");
  EXPECT_DOUBLE_EQ(fault->share, 0.15);
  EXPECT_EQ(fault->delay_max, 15ms);
}

TEST(ForwarderControl, RefusesWhatIsNoFault) {
  for (const char* text :
       {"{}", R"({"id":"f","kind":"odd"})", R"({"id":"f","kind":"slow"})",
        R"({"id":"f","kind":"drop","share":0})", R"({"id":"f","kind":"drop","share":2})",
        R"({"id":"f","kind":"slow","delay_min_ms":9,"delay_max_ms":1})",
        R"({"id":"f","kind":"slow","delay_min_ms":1,"delay_max_ms":1e9})"}) {
    EXPECT_EQ(parse_fault(parsed(text)).code(), base::ErrorCode::kInvalid) << text;
  }
}

}  // namespace
}  // namespace cli
