#include "agent/conns/rights.h"

#include <gtest/gtest.h>

namespace agent::conns {
namespace {

TEST(Choice, IsTheKernelsEventsWhereTheyMayBeUsed) {
  EXPECT_EQ(choose({true, true, 6, 1}).source, SourceKind::kBpf);
  EXPECT_EQ(choose({true, true, 5, 15}).source, SourceKind::kBpf);
}

TEST(Choice, SaysWhatIsMissing) {
  const auto why = [](const Rights& rights) {
    const Choice choice = choose(rights);
    EXPECT_EQ(choice.source, SourceKind::kDiagnostics);
    return choice.why;
  };
  EXPECT_NE(why({false, true, 6, 1}).find("CAP_BPF"), std::string::npos);
  EXPECT_NE(why({true, false, 6, 1}).find("type information"), std::string::npos);
  EXPECT_NE(why({true, true, 5, 14}).find("older"), std::string::npos);
  EXPECT_NE(why({true, true, 4, 19}).find("older"), std::string::npos);
}

TEST(Rights, AreReadFromTheKernel) {
  EXPECT_GT(own_rights().kernel_major, 2);
}

}  // namespace
}  // namespace agent::conns
