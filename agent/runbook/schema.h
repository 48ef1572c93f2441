// The JSON schema of runbook files, for editors: they complete keys, actions and arguments, and mark what
// lint would refuse. Draft 7, which the YAML language servers know.
//
// Left out: what depends on other places of the file (names of params and steps, classes, undos);
// `mcguard runbook lint` says all of it.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "agent/runbook/action.h"

namespace agent::runbook {

boost::json::object json_schema(const ActionRegistry& actions);
// For a file: one key a line, indented by two spaces, ended by a newline.
std::string readable(const boost::json::value& value);

}  // namespace agent::runbook
