#include "agent/admin/arguments.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace agent::admin {
namespace {

boost::json::object args(const char* text) {
  return boost::json::parse(text).as_object();
}

TEST(Arguments, NumbersAndBooleansMayBeText) {
  const auto given = args(R"({"n":7,"t":"7","b":true,"f":"false","s":0.15,"u":"0.15"})");
  EXPECT_EQ(required_number(given, "n", 10).value(), 7u);
  EXPECT_EQ(required_number(given, "t", 10).value(), 7u);
  EXPECT_TRUE(boolean_argument(given, "b", false).value());
  EXPECT_FALSE(boolean_argument(given, "f", true).value());
  EXPECT_DOUBLE_EQ(share_argument(given, "s", 1).value(), 0.15);
  EXPECT_DOUBLE_EQ(share_argument(given, "u", 1).value(), 0.15);
  EXPECT_EQ(required_text(given, "n").value(), "7");
}

TEST(Arguments, WhatIsMissingOrNullHasItsFallback) {
  const auto given = args(R"({"null":null})");
  EXPECT_EQ(number_argument(given, "null", 3, 10).value(), 3u);
  EXPECT_TRUE(boolean_argument(given, "no", true).value());
  EXPECT_TRUE(object_argument(given, "no").value().empty());
  EXPECT_FALSE(text_argument(given, "null").has_value());
  EXPECT_EQ(required_text(given, "no").error().context, "no is missing");
}

TEST(Arguments, WrongOnesNameTheValueAndWhatWasExpected) {
  const auto given = args(R"({"n":-1,"big":11,"x":"x","list":[1],"o":{"a":1},"nan":"nan"})");
  for (const char* name : {"n", "big", "x", "list", "o"}) {
    EXPECT_EQ(required_number(given, name, 10).code(), base::ErrorCode::kInvalid) << name;
  }
  for (const char* name : {"list", "o"}) {
    EXPECT_EQ(required_text(given, name).code(), base::ErrorCode::kInvalid) << name;
  }
  for (const char* name : {"n", "big", "x", "nan"}) {
    EXPECT_EQ(share_argument(given, name, 1).code(), base::ErrorCode::kInvalid) << name;
  }
  EXPECT_EQ(object_argument(given, "x").code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(boolean_argument(given, "n", true).code(), base::ErrorCode::kInvalid);
  const std::string said = required_number(given, "big", 10).error().context;
  EXPECT_NE(said.find("big: got 11, expected a whole number from 0 to 10"), std::string::npos)
      << said;
}

}  // namespace
}  // namespace agent::admin
