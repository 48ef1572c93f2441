#include "agent/publish/page_model.h"

#include <gtest/gtest.h>

namespace agent::publish {
namespace {

using S = ComponentStatus;

ComponentGroup group(std::vector<S> parts) {
  ComponentGroup out;
  for (const S status : parts) {
    Component component;
    component.status = status;
    out.components.push_back(component);
  }
  return out;
}

struct RollUpCase {
  std::vector<std::vector<S>> clusters;
  std::string_view indicator;
  std::string_view description;
};

TEST(RollUp, FollowsTheTableInTheApiDocument) {
  const std::vector<RollUpCase> cases = {
      {{}, "none", "All Systems Operational"},
      {{{S::kOperational}, {S::kOperational}}, "none", "All Systems Operational"},
      {{{S::kDegradedPerformance}, {S::kOperational}}, "minor", "Partially Degraded Service"},
      {{{S::kPartialOutage, S::kDegradedPerformance}, {S::kOperational}},
       "major",
       "Partial System Outage"},
      {{{S::kMajorOutage}, {S::kOperational}}, "major", "Partial System Outage"},
      {{{S::kMajorOutage}, {S::kPartialOutage}}, "major", "Partial System Outage"},
      {{{S::kMajorOutage, S::kOperational}, {S::kMajorOutage}}, "critical", "Major Service Outage"},
      {{{S::kMajorOutage}}, "critical", "Major Service Outage"},
  };
  for (const RollUpCase& expected : cases) {
    std::vector<ComponentGroup> groups;
    for (const auto& parts : expected.clusters) groups.push_back(group(parts));
    const Indicator indicator = roll_up(groups);
    EXPECT_EQ(to_string(indicator), expected.indicator);
    EXPECT_EQ(description(indicator), expected.description);
  }
}

TEST(ComponentGroup, IsAsBadAsItsWorstComponent) {
  EXPECT_EQ(group({S::kOperational, S::kPartialOutage, S::kDegradedPerformance}).status(),
            S::kPartialOutage);
  EXPECT_EQ(group({}).status(), S::kOperational);
}

TEST(PageModel, IsValidForAsLongAsItSays) {
  PageModel model;
  model.generated = base::WallTime{5'000'000'000};
  EXPECT_EQ(model.valid_until().ns, 35'000'000'000);
}

}  // namespace
}  // namespace agent::publish
