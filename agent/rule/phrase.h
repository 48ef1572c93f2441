// Numbers as sentences show them.
#pragma once

#include <string>

namespace agent::rule {

std::string seconds_text(double seconds);  // "1.5 s"
std::string brief_text(double seconds);    // "45 µs", "12.3 ms", "1.5 s"
std::string percent_text(double share);    // "15.2 %", "0.02 %"
std::string count_text(double count);      // "4000"
std::string length_text(double seconds);   // "45 s", "12 min", "3.5 h", "13.0 days"
std::string bytes_text(double bytes);      // "512.0 MiB", "37.3 GiB"

}  // namespace agent::rule
