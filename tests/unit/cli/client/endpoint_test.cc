#include "cli/client/endpoint.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace cli {
namespace {

EndpointOptions options_for(const std::string& dir) {
  EndpointOptions options;
  options.dir = dir;
  return options;
}

TEST(Endpoint, ComesFromTheRegionsFiles) {
  const test::TempDir dir;
  std::ofstream(dir.file("region.json")) << R"({"urls":{"operator":"http://127.0.0.1:7480/"}})";
  std::ofstream(dir.file("operator.token")) << "secret\n";
  const auto endpoint = find_endpoint(options_for(dir.path()));
  ASSERT_TRUE(endpoint.ok()) << endpoint.error().to_string();
  EXPECT_EQ(endpoint->url, "http://127.0.0.1:7480");
  EXPECT_EQ(endpoint->token.reveal(), "secret");
}

TEST(Endpoint, WithoutATokenCanStillRead) {
  const test::TempDir dir;
  std::ofstream(dir.file("region.json")) << R"({"urls":{"operator":"http://127.0.0.1:7480"}})";
  const auto endpoint = find_endpoint(options_for(dir.path()));
  ASSERT_TRUE(endpoint.ok());
  EXPECT_TRUE(endpoint->token.empty());
}

TEST(Endpoint, TellsHowToStartARegionWhereNoneRuns) {
  const test::TempDir dir;
  const auto endpoint = find_endpoint(options_for(dir.path()));
  ASSERT_FALSE(endpoint.ok());
  EXPECT_EQ(endpoint.code(), base::ErrorCode::kUnavailable);
  EXPECT_NE(endpoint.error().context.find("mcguard up"), std::string::npos);
}

TEST(Endpoint, TakesUrlAndTokenFileInstead) {
  const test::TempDir dir;
  std::ofstream(dir.file("token")) << "other\n";
  EndpointOptions options = options_for(dir.path());
  options.url = "http://127.0.0.1:99";
  options.token_file = dir.file("token");
  const auto endpoint = find_endpoint(options);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->url, "http://127.0.0.1:99");
  EXPECT_EQ(endpoint->token.reveal(), "other");
  options.token_file = dir.file("missing");
  EXPECT_FALSE(find_endpoint(options).ok());
}

}  // namespace
}  // namespace cli
