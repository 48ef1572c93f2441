// Files of rules and of their cases, from folders or by name.
#pragma once

#include <string>
#include <vector>

#include "agent/rule/rules.h"
#include "base/core/result.h"

namespace cli {

// Files as named; of a folder its *.yaml in the order of their names, policies left out. kNotFound
// names what is not there, or a folder without any.
base::Result<std::vector<agent::rule::RuleFile>> read_yaml_files(
    const std::vector<std::string>& paths);

// The rules that those files make.
base::Result<agent::rule::RuleSet> read_rules(const std::string& folder);

}  // namespace cli
