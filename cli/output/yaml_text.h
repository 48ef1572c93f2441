// JSON values as YAML text, for -o yaml. Strings that YAML would read as something else are quoted.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace cli {

std::string to_yaml_text(const boost::json::value& value);
// The same as indented JSON, for -o json.
std::string to_json_text(const boost::json::value& value);

}  // namespace cli
