// `mcguard top`: the status, drawn again with every event. On a plain terminal (no cursor movement) or
// into a pipe the pictures follow one another as text.
#pragma once

#include "cli/client/api.h"

namespace cli {

// Until q or Ctrl-C, or after `frames` pictures when that is not 0. The exit status.
int run_top(const Api& api, int frames);

// One picture for the screen: each line cleared to its end, at most `rows` lines.
std::string screen_picture(const std::string& text, int rows);

}  // namespace cli
