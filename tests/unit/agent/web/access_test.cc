#include "agent/web/access.h"

#include <gtest/gtest.h>

#include <vector>

namespace agent::web {
namespace {

const std::vector<std::string> kNames = {"ops.example.com"};

TEST(HostAllowed, TakesLocalNamesWithAndWithoutAPort) {
  for (const char* host : {"localhost", "LOCALHOST:7480", "127.0.0.1", "127.0.0.1:7480", "[::1]",
                           "[::1]:7480", "ops.example.com", "Ops.Example.Com:80"}) {
    EXPECT_TRUE(host_allowed(host, kNames)) << host;
  }
}

TEST(HostAllowed, RefusesEveryOtherName) {
  for (const char* host : {"", ":", ":7480", "evil.example", "localhost.evil.example",
                           "127.0.0.1.evil.example", "localhost:", "localhost:80x", "127.0.0.2",
                           "localhost@evil", "[::1]x", "::1", "localhost:80:80"}) {
    EXPECT_FALSE(host_allowed(host, kNames)) << host;
  }
}

TEST(CheckToken, TakesTheTokenAndNothingElse) {
  const base::Secret token("0123456789abcdef");
  EXPECT_EQ(check_token("Bearer 0123456789abcdef", token), TokenAnswer::kAccepted);
  EXPECT_EQ(check_token("bearer 0123456789abcdef", token), TokenAnswer::kAccepted);
  EXPECT_EQ(check_token("", token), TokenAnswer::kMissing);
  EXPECT_EQ(check_token("Basic 0123456789abcdef", token), TokenAnswer::kMissing);
  for (const char* wrong : {"Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcde",
                            "Bearer 0123456789abcdef ", "Bearer  0123456789abcdef"}) {
    EXPECT_EQ(check_token(wrong, token), TokenAnswer::kWrong) << wrong;
  }
}

TEST(CheckToken, AnEmptyTokenLetsNobodyIn) {
  EXPECT_EQ(check_token("Bearer ", base::Secret()), TokenAnswer::kWrong);
}

}  // namespace
}  // namespace agent::web
