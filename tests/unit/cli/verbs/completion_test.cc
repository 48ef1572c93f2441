#include "cli/verbs/completion.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

const std::vector<CompletionNode> kNodes = {
    {"", {"status", "incident"}, {"--help"}},
    {"incident", {"list", "show"}, {}},
    {"incident list", {}, {"--state", "-o"}},
};

TEST(Completion, BashOffersWhatMayFollow) {
  const std::string script = completion_script("bash", kNodes);
  EXPECT_NE(script.find("\"incident\") offered=\"list show\";;"), std::string::npos);
  EXPECT_NE(script.find("\"incident list\") place=$next;;"), std::string::npos);
  EXPECT_NE(script.find("complete -o default -F _mcguard mcguard"), std::string::npos);
}

TEST(Completion, ZshAndFishHaveTheirOwnForms) {
  EXPECT_TRUE(completion_script("zsh", kNodes).starts_with("#compdef mcguard\n"));
  const std::string fish = completion_script("fish", kNodes);
  EXPECT_NE(fish.find("'__mcguard_at \"incident\"' -f -a list"), std::string::npos);
  EXPECT_NE(fish.find("'__mcguard_at \"incident list\"' -l state"), std::string::npos);
}

}  // namespace
}  // namespace cli
