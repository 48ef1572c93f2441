#include "cli/output/table.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

Table sample() {
  Table table({"NAME", "STATE", "COUNT"});
  table.add({"amber", state_cell("healthy"), number_cell("12")});
  table.add({"b", state_cell("down"), number_cell("1,234")});
  return table;
}

TEST(Table, AlignsColumnsAndNumbers) {
  EXPECT_EQ(sample().render({}),
            "NAME   STATE    COUNT\n"
            "amber  healthy     12\n"
            "b      down     1,234\n");
}

TEST(Table, HasNoEscapesWithoutColor) {
  EXPECT_EQ(sample().render({}).find('\x1b'), std::string::npos);
}

TEST(Table, PaintsStatesForATerminal) {
  Terminal terminal;
  terminal.color = true;
  const std::string text = sample().render(terminal);
  EXPECT_NE(text.find("\x1b[32mhealthy\x1b[0m"), std::string::npos);
  EXPECT_NE(text.find("\x1b[31mdown\x1b[0m"), std::string::npos);
}

TEST(Table, CutsTheLastColumnAtTheTerminalsEdge) {
  Table table({"ID", "TITLE"});
  table.add({"1", "a title that is too long"});
  Terminal terminal;
  terminal.columns = 12;
  EXPECT_EQ(table.render(terminal), "ID  TITLE\n1   a title…\n");
}

TEST(Table, CountsCodePointsNotBytes) {
  EXPECT_EQ(display_width("340 µs"), 6u);
  Table table({"A", "B"});
  table.add({"µs", "x"});
  table.add({"ms", "y"});
  EXPECT_EQ(table.render({}), "A   B\nµs  x\nms  y\n");
}

TEST(Table, ShowsControlCharactersInsteadOfSendingThem) {
  Table table({"A"});
  table.add({std::string("x\x1b[2Jy")});
  EXPECT_EQ(table.render({}).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace cli
