// What the readers of runbooks and policies share on top of base/config/yaml.h.
//
// YAML ends a plain scalar at a brace inside [ ] and { }, so `locks: [cluster/${proxy.cluster}]`
// would need quotes. Every ${name} is therefore read as $(name), which has the same width, so that
// lines and columns stay true; text_of() turns it back.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "agent/runbook/expression.h"
#include "base/config/yaml.h"

namespace agent::runbook {

std::string shield_references(std::string_view yaml);
std::string restore_references(std::string_view text);

std::string text_of(const base::config::Node& node);
// Unquoted true, false and plain numbers get their type; everything else is text.
boost::json::value json_of(const base::config::Node& node);
boost::json::object object_of(const base::config::Node& node);
// A mistake is added to `problems` at the node; the result is then empty.
Expression expression_of(const base::config::Node& node, base::config::Problems& problems);

// All problems in one kInvalid error, with references as people wrote them.
base::Error error_of(const base::config::Problems& problems);

}  // namespace agent::runbook
