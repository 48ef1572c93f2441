#include "base/memcache/request.h"

#include <gtest/gtest.h>

#include <string>

#include "base/telemetry/segment.h"

namespace base::memcache {
namespace {

TEST(Request, ProtocolFollowsFromTheFirstByte) {
  EXPECT_EQ(detect_protocol(""), Protocol::kUnknown);
  EXPECT_EQ(detect_protocol("\x80"), Protocol::kBinary);
  EXPECT_EQ(detect_protocol("get a"), Protocol::kAscii);
  EXPECT_EQ(detect_protocol("\x81"), Protocol::kAscii);
}

TEST(Request, TokensSkipBlanksAndKeepOrder) {
  std::string seen;
  for (const std::string_view token : Tokens("  a  bb c ")) seen += std::string(token) + ";";
  EXPECT_EQ(seen, "a;bb;c;");
  EXPECT_TRUE(Tokens("").empty());
  EXPECT_TRUE(Tokens("   ").empty());
}

TEST(Request, TokensTakeTheFirstOneAsItIs) {
  std::string seen;
  for (const std::string_view token : Tokens("a b", " c")) seen += std::string(token) + ";";
  EXPECT_EQ(seen, "a b;c;");
}

TEST(Request, TelemetryCountsVariantsUnderOneName) {
  using telemetry::Operation;
  EXPECT_EQ(operation_of(Command::kGet), Operation::kGet);
  EXPECT_EQ(operation_of(Command::kMetaGet), Operation::kGet);
  EXPECT_EQ(operation_of(Command::kGat), Operation::kGat);
  EXPECT_EQ(operation_of(Command::kMetaSet), Operation::kSet);
  EXPECT_EQ(operation_of(Command::kSaslStep), Operation::kAuth);
  EXPECT_EQ(operation_of(Command::kFlushAll), Operation::kFlush);
  EXPECT_EQ(operation_of(Command::kQuit), Operation::kOther);
}

}  // namespace
}  // namespace base::memcache
