// The shipped rules, runbooks and policies against the names that the real actions have.
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/action/actions.h"
#include "agent/app/app.h"
#include "agent/app/files.h"
#include "agent/runbook/page.h"
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

std::string page(const std::string& name) {
  return base::read_file("docs/runbooks/" + name + ".md").value();
}

TEST(Shipped, EveryRunbookHasAPageThatIsTrueToItsFile) {
  runbook::ActionRegistry actions;
  action::add_action_names(actions);
  const auto library = runbook::Library::build(read_sources("runbooks").value(), actions).value();
  const runbook::SourceText source("policy.yaml", base::read_file("rules/policy.yaml").value());
  const auto policy = runbook::parse_policy(source, library).value();
  const std::string index = base::read_file("docs/runbooks/README.md").value();
  for (const auto& [name, book] : library.all()) {
    EXPECT_NE(page(name).find(runbook::page_of(book, policy, actions)), std::string::npos)
        << "put what `mcguard runbook page " << name << "` prints into docs/runbooks/" << name
        << ".md";
    EXPECT_NE(index.find("(" + name + ".md)"), std::string::npos) << name;
  }
}

TEST(Shipped, EveryPageHelpsThePersonWhoIsWoken) {
  const auto sources = read_sources("runbooks").value();
  for (const runbook::SourceText& source : sources) {
    const std::string name = std::filesystem::path(source.file).stem();
    for (const char* part :
         {"## What it does", "## What it will not do", "## How to stop it", "## By hand"}) {
      EXPECT_NE(page(name).find(part), std::string::npos) << name << " is without: " << part;
    }
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
