#include "cli/client/api.h"

#include <gtest/gtest.h>

#include "cli/client/exit_status.h"
#include "tests/support/fake_agent.h"

namespace cli {
namespace {

class ApiTest : public ::testing::Test {
 protected:
  Api api() const { return Api({agent_.url(), base::Secret("token-1")}); }
  base::Error error_for(int status, const std::string& body) {
    agent_.answer("GET /x", body, status);
    return api().get("/x").error();
  }
  test::FakeAgent agent_;
};

TEST_F(ApiTest, ReadsJson) {
  agent_.answer("GET /api/v1/status", R"({"region":"local"})");
  const auto status = api().get("/api/v1/status");
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  EXPECT_EQ(status->at("region").as_string(), "local");
}

TEST_F(ApiTest, ActsWithTheTokenAndABody) {
  agent_.answer("POST /api/v1/faults", "{}");
  boost::json::object body;
  body["kind"] = "kill";
  ASSERT_TRUE(api().send("POST", "/api/v1/faults", body).ok());
  const auto seen = agent_.seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].body, R"({"kind":"kill"})");
  EXPECT_EQ(seen[0].authorization, "Bearer token-1");
}

TEST_F(ApiTest, KeepsTheServersWordsAndCode) {
  const base::Error error =
      error_for(409, R"({"error":{"code":"conflict","context":"run x holds the lock"}})");
  EXPECT_EQ(error.code, base::ErrorCode::kConflict);
  EXPECT_EQ(error.context, "run x holds the lock");
  EXPECT_EQ(exit_status_of(error), kFailed);
}

TEST_F(ApiTest, StatusesBecomeExitStatuses) {
  const std::string none = "{}";
  EXPECT_EQ(exit_status_of(error_for(400, none)), kUsage);
  EXPECT_EQ(exit_status_of(error_for(404, none)), kNotFound);
  EXPECT_EQ(exit_status_of(error_for(422, none)), kRefused);
  EXPECT_EQ(exit_status_of(error_for(503, none)), kUnreachable);
  EXPECT_EQ(exit_status_of(error_for(500, "<html>")), kFailed);
  EXPECT_EQ(
      exit_status_of(error_for(409, R"({"error":{"code":"refused","context":"no --gameday"}})")),
      kRefused);
}

TEST_F(ApiTest, SaysWhereTheTokenComesFrom) {
  EXPECT_NE(error_for(401, "{}").context.find("--token-file"), std::string::npos);
}

TEST_F(ApiTest, RefusesAnAnswerThatIsNoJson) {
  agent_.answer("GET /x", "<html>");
  EXPECT_EQ(api().get("/x").code(), base::ErrorCode::kInternal);
}

TEST_F(ApiTest, PassesEventsOn) {
  agent_.answer("GET /api/v1/events", R"({"region":"local"})");
  std::string got;
  const auto ended = api().events("/api/v1/events", [&](std::string_view name, const auto& data) {
    got = std::string(name) + " " + data;
    return false;
  });
  ASSERT_TRUE(ended.ok()) << ended.error().to_string();
  EXPECT_EQ(got, R"(status {"region":"local"})");
}

TEST(Api, IsUnreachableWhereNobodyListens) {
  const Api api({"http://127.0.0.1:1", base::Secret()});
  const auto answer = api.get("/api/v1/status");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(exit_status_of(answer.error()), kUnreachable);
}

TEST(Api, EncodesPartsOfPaths) {
  EXPECT_EQ(url_encoded("a b/ü"), "a%20b%2F%C3%BC");
}

}  // namespace
}  // namespace cli
