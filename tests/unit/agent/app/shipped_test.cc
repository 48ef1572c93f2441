// The shipped rules, runbooks and policies against the names that the real actions have.
#include <gtest/gtest.h>

#include "agent/action/actions.h"
#include "agent/app/app.h"
#include "agent/app/files.h"
#include "agent/runbook/policy.h"
#include "base/core/file.h"

namespace agent::app {
namespace {

coord::RegionSpec shipped(const std::string& policy) {
  coord::RegionSpec spec;
  spec.rules_dir = "rules";
  spec.runbooks_dir = "runbooks";
  spec.policy = "rules/" + policy;
  return spec;
}

TEST(Shipped, RunbooksCallOnlyActionsThatExist) {
  runbook::ActionRegistry actions;
  action::add_action_names(actions);
  const auto library = runbook::Library::build(read_sources("runbooks").value(), actions);
  ASSERT_TRUE(library.ok()) << library.error().context;
  EXPECT_GE(library->all().size(), 5u);
}

TEST(Shipped, PoliciesPassTheCheckOfTheAgent) {
  for (const char* policy : {"policy.yaml", "policy-gameday.yaml"}) {
    const auto checked = App::check(shipped(policy));
    EXPECT_TRUE(checked.ok()) << checked.error().context;
  }
}

TEST(Shipped, TheCheckSaysEverythingThatIsMissing) {
  coord::RegionSpec spec = shipped("no-such.yaml");
  spec.runbooks_dir = "no-such-folder";
  const auto checked = App::check(spec);
  ASSERT_FALSE(checked.ok());
  EXPECT_NE(checked.error().context.find("no-such.yaml"), std::string::npos);
  EXPECT_NE(checked.error().context.find("no-such-folder"), std::string::npos);
}

}  // namespace
}  // namespace agent::app
