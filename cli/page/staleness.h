// Whether the page still speaks for anybody, and what it says when it does not: its publisher writes
// meta.json with every rendering, at least every 5 s; when that is older than 30 s the page calls
// itself unknown instead of repeating what was true once. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time/clock.h"

namespace cli {

inline constexpr base::Duration kPageFreshFor = std::chrono::seconds(30);

// When the publisher last wrote, from the text of meta.json.
std::optional<base::WallTime> generated_at(std::string_view meta_json);

// Empty: fresh. Else "Status unknown: no update since …".
std::string staleness(std::optional<base::WallTime> generated, base::WallTime now);

// The HTML with everything between its status marks replaced by a banner with `sentence`.
std::string mark_html(std::string_view html, std::string_view sentence);
// status.json or summary.json with the sentence as its status; as it was when it is no such JSON.
std::string mark_json(const std::string& text, std::string_view sentence);
// A whole page, for when there is none.
std::string bare_page(std::string_view sentence);

}  // namespace cli
