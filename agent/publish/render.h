// From a PageModel to the files of the status page. Pure: no clock, no disk.
//
//   index.html  history.html  incidents/<id>.html  history.atom  meta.json
//   api/v2/{status,summary,components,incidents}.json  api/v2/incidents/unresolved.json
//   api/v2/scheduled-maintenances.json  api/v2/scheduled-maintenances/{upcoming,active}.json
//
// Every file stands by itself: no external request, no script needed to read it. Links between the
// files are relative, so that any web server can serve the folder under any path. A file that shows
// the present state carries its banner between kStatusBegin and kStatusEnd; whoever serves it
// replaces that part when meta.json has grown old. A resolved incident's page has no banner and
// never changes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/publish/page_model.h"

namespace agent::publish {

inline constexpr std::string_view kStatusBegin = "<!--status-begin-->";
inline constexpr std::string_view kStatusEnd = "<!--status-end-->";

using FileSet = std::map<std::string, std::string>;  // path under the page's folder -> content

FileSet render_page(const PageModel& model);

// The parts, for tests and other publishers. Each is one JSON document in the Statuspage v2 shape.
std::string render_status_json(const PageModel& model);
std::string render_summary_json(const PageModel& model);
std::string render_components_json(const PageModel& model);
enum class IncidentSelection { kAll, kUnresolved };
std::string render_incidents_json(const PageModel& model, IncidentSelection selection);
std::string render_maintenances_json(const PageModel& model);
std::string render_atom(const PageModel& model);
std::string render_meta_json(const PageModel& model);

}  // namespace agent::publish
