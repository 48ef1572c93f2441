// `mcguard down`: stops a region from elsewhere, through its supervisor when it has one.
#pragma once

#include <string>

namespace cli {

// The exit status. A region that does not run is stopped already: 0.
int run_down(const std::string& dir);

}  // namespace cli
