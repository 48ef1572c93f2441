#include "base/net/rpc_line.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace base::net {
namespace {

TEST(RpcLine, ARequestSurvivesTheRoundTrip) {
  RpcRequest request;
  request.verb = "epoch.prepare";
  request.fence = UINT64_MAX;
  request.args["table"] = "a\nb";
  const std::string line = encode_rpc_request(request);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto parsed = parse_rpc_request(line);
  ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
  EXPECT_EQ(parsed->verb, "epoch.prepare");
  EXPECT_EQ(parsed->fence, UINT64_MAX);
  EXPECT_EQ(parsed->args.at("table").as_string(), "a\nb");
}

TEST(RpcLine, FenceAndArgumentsMayBeMissing) {
  const auto parsed = parse_rpc_request(R"({"verb":"status"})");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->fence, 0u);
  EXPECT_TRUE(parsed->args.empty());
}

TEST(RpcLine, RefusesWhatIsNoRequest) {
  for (const char* line : {"", "{", "[]", "\"verb\"", "{}", R"({"verb":1})", R"({"verb":""})",
                           R"({"verb":"x","fence":-1})", R"({"verb":"x","fence":"1"})",
                           R"({"verb":"x","args":[]})", "{\"verb\":\"\xff\"}"}) {
    const auto parsed = parse_rpc_request(line);
    ASSERT_FALSE(parsed.ok()) << line;
    EXPECT_EQ(parsed.code(), ErrorCode::kInvalid);
  }
}

TEST(RpcLine, AnAnswerSurvivesTheRoundTrip) {
  Result<boost::json::value> value(boost::json::parse(R"({"a":[1,2.5,null]})"));
  const auto parsed = parse_rpc_answer(encode_rpc_answer(value));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(boost::json::serialize(*parsed), boost::json::serialize(*value));
}

TEST(RpcLine, EveryErrorCodeSurvivesTheRoundTrip) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    Result<boost::json::value> failed(Error(static_cast<ErrorCode>(i), "why"));
    const auto parsed = parse_rpc_answer(encode_rpc_answer(failed));
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(static_cast<int>(parsed.code()), i);
    EXPECT_EQ(parsed.error().context, "why");
  }
}

TEST(RpcLine, AnAnswerThatIsNoneIsAnInternalError) {
  for (const char* line : {"", "nonsense", "{}", R"({"ok":1})", R"({"ok":false})"}) {
    EXPECT_EQ(parse_rpc_answer(line).code(), ErrorCode::kInternal) << line;
  }
}

}  // namespace
}  // namespace base::net
