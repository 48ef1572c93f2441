// References: `${param.field}`, `${steps.id.field}`, `${run.id}`, … in the texts of a runbook.
//
// Substitution happens in two stages: the plan resolves what is known then (params, policy, item)
// and leaves the rest standing; the run resolves steps and run just before it acts. A text that is
// one reference and nothing else takes the value with its type; elsewhere the value's text is put
// in.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

namespace agent::runbook {

// The names within ${…}, in order.
std::vector<std::string> references_in(std::string_view text);
std::vector<std::string> references_in(const boost::json::value& value);

// "proxy.cluster" in {"proxy": {"cluster": "amber"}}. An object with an "id" stands for its id.
std::optional<boost::json::value> resolve(const boost::json::object& scope, std::string_view name);

// Whatever `scope` does not have is left as it stands.
boost::json::value substitute(const boost::json::value& value, const boost::json::object& scope);
std::string substitute(std::string_view text, const boost::json::object& scope);

// kInvalid naming the first reference that still stands.
base::Result<> all_resolved(const boost::json::value& value);

}  // namespace agent::runbook
