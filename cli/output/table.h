// Table: aligned columns of text. Numbers to the right, colors around the padding's outside, nothing
// but spaces between columns, so that awk and people can both read it. A line that is longer than the
// terminal is cut in its last column.
#pragma once

#include <string>
#include <vector>

#include "cli/output/terminal.h"

namespace cli {

struct Cell {
  std::string text;
  Style style = Style::kPlain;
  bool right = false;
  Cell(std::string t, Style s = Style::kPlain) : text(std::move(t)), style(s) {}  // NOLINT
  Cell(const char* t) : text(t) {}                                                // NOLINT
};
Cell number_cell(std::string text);
Cell state_cell(std::string text);

class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }
  std::string render(const Terminal& terminal) const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<Cell>> rows_;
};

// How many columns a terminal needs for UTF-8 text, one per code point.
size_t display_width(std::string_view text);

}  // namespace cli
