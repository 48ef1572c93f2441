// The operator console: HTML from the same documents that the API answers with. Pure: no clock, no
// calls. Pages work without JavaScript (they reload every 5 s); with it, console.js fetches `<main>`
// again at each event.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "agent/web/history.h"

namespace agent::web {

// kPage: the whole document. kMain: only its <main>, for console.js.
enum class ConsolePart { kPage, kMain };

// `/`, from `status`.
std::string console_region(const boost::json::value& status, const History& history,
                           ConsolePart part);
// `/incidents/<id>`, from `incidents.show`.
std::string console_incident(const boost::json::value& incident, ConsolePart part);
// `/runs/<id>`, from `runs.show`.
std::string console_run(const boost::json::value& run, ConsolePart part);
// A page that says why there is none.
std::string console_problem(std::string_view title, std::string_view text, ConsolePart part);

// "console.css", "console.js"; empty: no such asset.
std::string_view console_asset(std::string_view name);

// How a state of anything is coloured and which shape it gets: good, warn, bad or dim.
std::string_view tone_of(std::string_view state);

}  // namespace agent::web
