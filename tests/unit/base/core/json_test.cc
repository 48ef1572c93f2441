#include "base/core/json.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace base {
namespace {

std::string error_of(std::string_view text) {
  const auto value = parse_json(text);
  return value.ok() ? "parsed" : value.error().context;
}

TEST(Json, ReadsEveryKindOfValue) {
  const auto value = parse_json(R"( {"a":[1,-2,0.5,18446744073709551615,true,null,"x"]} )");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(boost::json::serialize(*value),
            R"({"a":[1,-2,5E-1,18446744073709551615,true,null,"x"]})");
}

TEST(Json, SaysWhereTheTextIsWrong) {
  EXPECT_EQ(error_of("{\"a\":1,\n \"b\":x}"), "line 2, column 6: syntax error");
  EXPECT_EQ(error_of("{} {}"), "line 1, column 4: extra data");
  EXPECT_EQ(error_of("{\"a\":"), "line 1, column 6: incomplete JSON");
  EXPECT_EQ(error_of(""), "line 1, column 1: incomplete JSON");
}

TEST(Json, RefusesNumbersThatCannotBeWrittenAgain) {
  EXPECT_EQ(error_of(R"({"a":[{"b":448e488}]})"), "a number in it is beyond 1.8e308");
  EXPECT_EQ(error_of("-1e400"), "a number in it is beyond 1.8e308");
  EXPECT_EQ(error_of("1.7e308"), "parsed");
}

TEST(Json, RefusesTextThatIsTooDeep) {
  EXPECT_EQ(error_of(std::string(40, '[') + std::string(40, ']')), "line 1, column 33: too deep");
}

}  // namespace
}  // namespace base
