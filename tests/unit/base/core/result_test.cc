#include "base/core/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>

#include "base/core/secret.h"

namespace base {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = 7;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 7);
  const Result<int> bad = Error(ErrorCode::kTimeout, "no reply in 1s", Origin::kBackend);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.code(), ErrorCode::kTimeout);
  EXPECT_EQ(bad.error().to_string(), "timeout: no reply in 1s");
  EXPECT_EQ(bad.value_or(3), 3);
  EXPECT_TRUE(Result<>().ok());
}

TEST(Result, GivesAwayAMoveOnlyValue) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> value = *std::move(result);
  EXPECT_EQ(*value, 5);
}

TEST(ResultDeathTest, TakingTheWrongSideStopsTheProcess) {
  const Result<int> bad = Error(ErrorCode::kIo, "x");
  EXPECT_DEATH(bad.value(), "CHECK failed: ok\\(\\)");
  const Result<int> good = 1;
  EXPECT_DEATH(good.error(), "CHECK failed: !ok\\(\\)");
}

TEST(Secret, DoesNotPrint) {
  std::ostringstream out;
  out << Secret("hunter2");
  EXPECT_EQ(out.str(), "***");
  EXPECT_EQ(Secret("hunter2").reveal(), "hunter2");
}

}  // namespace
}  // namespace base
