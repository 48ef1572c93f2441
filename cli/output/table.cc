#include "cli/output/table.h"

#include <algorithm>

#include "base/core/check.h"
#include "base/core/text.h"

namespace cli {
namespace {

// The first `width` code points, the last of them an ellipsis if something was cut.
std::string cut(const std::string& text, size_t width) {
  if (display_width(text) <= width) return text;
  if (width == 0) return {};
  size_t points = 0, at = 0;
  while (at < text.size()) {
    const bool starts = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (starts && ++points == width) break;
    ++at;
  }
  return text.substr(0, at) + "…";
}

// What others wrote must not move the cursor.
std::string harmless(const std::string& text) {
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  return plain ? text : base::printable(text);
}

}  // namespace

size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

Cell number_cell(std::string text) {
  Cell cell(std::move(text));
  cell.right = true;
  return cell;
}

Cell state_cell(std::string text) {
  const Style style = style_of_state(text);
  return Cell(std::move(text), style);
}

void Table::add(std::vector<Cell> row) {
  CHECK(row.size() == headers_.size());
  for (Cell& cell : row) cell.text = harmless(cell.text);
  rows_.push_back(std::move(row));
}

std::string Table::render(const Terminal& terminal) const {
  std::vector<size_t> widths;
  for (const std::string& header : headers_) widths.push_back(display_width(header));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i].text));
    }
  }
  std::string out;
  const auto add_line = [&](auto cell_at) {
    size_t used = 0;
    std::string line;
    for (size_t i = 0; i < widths.size(); ++i) {
      const bool last = i + 1 == widths.size();
      Cell cell = cell_at(i);
      const size_t room = static_cast<size_t>(std::max(terminal.columns, 0));
      if (last && room > used) cell.text = cut(cell.text, room - used);
      const std::string padding(widths[i] - std::min(widths[i], display_width(cell.text)), ' ');
      if (cell.right) line += padding;
      line += terminal.paint(cell.text, cell.style);
      if (!cell.right && !last) line += padding;
      if (!last) line += "  ";
      used += widths[i] + 2;
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  };
  add_line([&](size_t i) {
    Cell header(headers_[i], Style::kDim);
    header.right = !rows_.empty() && rows_[0][i].right;
    return header;
  });
  for (const auto& row : rows_) add_line([&](size_t i) { return row[i]; });
  return out;
}

}  // namespace cli
