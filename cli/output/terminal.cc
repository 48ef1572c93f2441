#include "cli/output/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace cli {
namespace {

const char* escape_of(Style style) {
  switch (style) {
    case Style::kGood:
      return "\x1b[32m";
    case Style::kWarn:
      return "\x1b[33m";
    case Style::kBad:
      return "\x1b[31m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kBold:
      return "\x1b[1m";
    case Style::kPlain:
      return "";
  }
  return "";
}

}  // namespace

Terminal Terminal::of_stdout() {
  Terminal terminal;
  if (::isatty(STDOUT_FILENO) == 0) return terminal;
  const char* kind = std::getenv("TERM");
  terminal.interactive = kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
  const char* refused = std::getenv("NO_COLOR");
  terminal.color = terminal.interactive && (refused == nullptr || *refused == '\0');
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.columns = size.ws_col;
    terminal.rows = size.ws_row;
  }
  return terminal;
}

std::string Terminal::paint(std::string_view text, Style style) const {
  if (!color || style == Style::kPlain || text.empty()) return std::string(text);
  return escape_of(style) + std::string(text) + "\x1b[0m";
}

Style style_of_state(std::string_view state) {
  for (const std::string_view good :
       {"healthy", "up", "completed", "resolved", "verified", "yes", "operational"}) {
    if (state == good) return Style::kGood;
  }
  for (const std::string_view bad : {"down", "dead", "stuck", "open", "handed_over", "failed",
                                     "unknown", "undone", "no", "ejected"}) {
    if (state == bad) return Style::kBad;
  }
  for (const std::string_view warn :
       {"degraded", "starting", "draining", "suspected", "mitigating", "monitoring", "running",
        "undoing", "awaiting_approval", "intent", "acting", "observed", "aborted"}) {
    if (state == warn) return Style::kWarn;
  }
  return Style::kPlain;
}

}  // namespace cli
