#include "cli/output/yaml_text.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace cli {
namespace {

TEST(YamlText, WritesMapsAndLists) {
  const auto value = boost::json::parse(
      R"({"name":"amber","proxies":[{"id":"p1","port":1},{"id":"p2","tags":["a","b"]}],"none":[]})");
  EXPECT_EQ(to_yaml_text(value),
            "name: amber\n"
            "proxies:\n"
            "  - id: p1\n"
            "    port: 1\n"
            "  - id: p2\n"
            "    tags:\n"
            "      - a\n"
            "      - b\n"
            "none: []\n");
}

TEST(YamlText, QuotesWhatYamlWouldReadAsSomethingElse) {
  for (const char* text : {"true", "no", "12", "1.5", "", "~", "a: b", "x #y", "- z", "2026-11-23",
                           "with\nline", "trailing:"}) {
    const std::string yaml = to_yaml_text(boost::json::value(text));
    EXPECT_TRUE(yaml.starts_with('"')) << text << " became " << yaml;
  }
  EXPECT_EQ(to_yaml_text(boost::json::value("127.0.0.1")), "\"127.0.0.1\"\n");
  EXPECT_EQ(to_yaml_text(boost::json::value("amber-proxy-1")), "amber-proxy-1\n");
}

TEST(YamlText, NumbersAreWrittenAsPeopleDo) {
  const auto value = boost::json::parse(R"({"a":0.0,"b":0.15,"c":1e-7,"d":12})");
  EXPECT_EQ(to_yaml_text(value), "a: 0\nb: 0.15\nc: 1e-07\nd: 12\n");
  EXPECT_EQ(to_json_text(boost::json::value(0.15)), "0.15\n");
}

TEST(YamlText, JsonIsIndentedAndParsesBack) {
  const auto value = boost::json::parse(R"({"a":[1,{"b":null}],"c":{}})");
  const std::string text = to_json_text(value);
  EXPECT_NE(text.find("\n  \"a\": ["), std::string::npos);
  EXPECT_EQ(boost::json::parse(text), value);
}

}  // namespace
}  // namespace cli
