// Figures as an operator reads them, and careful reading of JSON documents made elsewhere: a missing
// or strange field reads as nothing rather than as an exception.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/time/clock.h"

namespace agent::web {

// Reading. Missing or of another kind: "", 0, false, an empty array, null.
std::string text_of(const boost::json::value& object, std::string_view key);
double number_of(const boost::json::value& object, std::string_view key);
bool flag_of(const boost::json::value& object, std::string_view key);
const boost::json::array& list_of(const boost::json::value& object, std::string_view key);
const boost::json::value& part_of(const boost::json::value& object, std::string_view key);

// Writing.
std::string count_words(double count);      // "0", "8,192", "1.25 M"
std::string rate_words(double per_second);  // "0", "0.4", "12,034"
std::string latency_words(double seconds);  // "–" for 0, "312 µs", "4.2 ms", "1.3 s"
std::string share_words(double share);      // "0 %", "0.2 %", "15 %"
std::string bytes_words(double bytes);      // "512 B", "64.0 MiB"

// "2026-11-23T07:28:17.042Z"; ns == 0 if it is something else.
base::WallTime parse_rfc3339(std::string_view text);
// "3 s ago"; "" for an unreadable time.
std::string ago_words(std::string_view rfc3339, base::WallTime now);
// "0.2 s", "4 min 10 s" between two times; "" unless both are readable.
std::string between_words(std::string_view from, std::string_view to);

}  // namespace agent::web
