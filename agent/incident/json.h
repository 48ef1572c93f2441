// Incidents as JSON, in the shape of the operator API (docs/architecture.md) and of the store.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "agent/incident/incident.h"
#include "base/core/result.h"

namespace agent::incident {

// As in `incidents` of status.
boost::json::object to_json_brief(const Incident& incident);
// With evidence, timeline, runs and acknowledgement: incidents.show, and what the store keeps.
boost::json::object to_json(const Incident& incident);
// From what to_json wrote. kInvalid names the field.
base::Result<Incident> from_json(const boost::json::value& document);

boost::json::object to_json(const Scope& scope);

}  // namespace agent::incident
