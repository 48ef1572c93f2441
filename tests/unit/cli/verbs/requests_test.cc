#include "cli/verbs/requests.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace cli {
namespace {

using boost::json::serialize;

TEST(Requests, ParametersHaveTypes) {
  const auto params = parse_params({"proxy=amber-proxy-1", "count=3", "force=true", "note=a=b"});
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(serialize(*params), R"({"proxy":"amber-proxy-1","count":3,"force":true,"note":"a=b"})");
  EXPECT_EQ(parse_params({"proxy"}).code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(parse_params({"=x"}).code(), base::ErrorCode::kInvalid);
}

TEST(Requests, AFaultOfLinks) {
  LinkFault fault;
  fault.kind = "slow";
  fault.cluster = "amber";
  fault.share = "15%";
  fault.delay = "5ms..15ms";
  const auto body = fault_body(fault);
  ASSERT_TRUE(body.ok()) << body.error().to_string();
  EXPECT_EQ(body->at("cluster").as_string(), "amber");
  EXPECT_DOUBLE_EQ(body->at("share").as_double(), 0.15);
  EXPECT_EQ(body->at("delay_min_ms").as_int64(), 5);
  EXPECT_EQ(body->at("delay_max_ms").as_int64(), 15);
}

TEST(Requests, AFaultNeedsATargetAndSensibleNumbers) {
  LinkFault fault;
  fault.kind = "slow";
  EXPECT_NE(fault_body(fault).error().context.find("--cluster"), std::string::npos);
  fault.cluster = "amber";
  fault.share = "150%";
  EXPECT_NE(fault_body(fault).error().context.find("150%"), std::string::npos);
  fault.share = "1%";
  fault.delay = "fast";
  EXPECT_NE(fault_body(fault).error().context.find("fast"), std::string::npos);
}

TEST(Requests, AFlushNamesExactlyOneThing) {
  FlushTarget target;
  EXPECT_FALSE(flush_target(target).ok());
  target.cache = "12";
  EXPECT_EQ(*flush_target(target), "cache/12");
  target.cluster = "amber";
  EXPECT_FALSE(flush_target(target).ok());
  target.cache.clear();
  EXPECT_EQ(*flush_target(target), "cluster/amber");
}

TEST(Requests, CapabilitiesAreAllSaid) {
  EXPECT_EQ(serialize(*capabilities_body("write,api")),
            R"({"write":true,"flush":false,"api":true})");
  EXPECT_EQ(serialize(*capabilities_body("none")), R"({"write":false,"flush":false,"api":false})");
  EXPECT_EQ(capabilities_body("write,fly").code(), base::ErrorCode::kInvalid);
}

}  // namespace
}  // namespace cli
