// What the output may look like: colors only for a person at a terminal who wants them.
#pragma once

#include <string>
#include <string_view>

namespace cli {

enum class Style { kPlain, kGood, kWarn, kBad, kDim, kBold };

struct Terminal {
  bool color = false;
  bool interactive = false;  // stdout is a terminal that understands cursor movement
  int columns = 0;           // 0: unlimited
  int rows = 24;

  // Of stdout. NO_COLOR, TERM=dumb and anything that is no terminal mean plain text.
  static Terminal of_stdout();
  std::string paint(std::string_view text, Style style) const;
};

// Green, yellow or red for the states that clusters, processes, incidents and runs have.
Style style_of_state(std::string_view state);

}  // namespace cli
