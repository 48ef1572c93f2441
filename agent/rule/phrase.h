// Numbers as sentences show them.
#pragma once

#include <string>

namespace agent::rule {

std::string seconds_text(double seconds);  // "1.5 s"
std::string percent_text(double share);    // "15.2 %", "0.02 %"
std::string count_text(double count);      // "4000"

}  // namespace agent::rule
