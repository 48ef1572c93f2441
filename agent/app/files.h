// The agent's files at start: rules, runbooks, policy, token, lock. Reading only; who reads them
// again on reload is App.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/rule/rules.h"
#include "agent/runbook/runbook.h"
#include "base/core/result.h"
#include "base/core/secret.h"
#include "base/net/fd.h"

namespace agent::app {

// All *.yaml of a folder but those whose names begin with `except` (empty: none), in name order.
// kNotFound names the folder.
base::Result<std::vector<runbook::SourceText>> read_sources(const std::string& folder,
                                                            std::string_view except = {});
// The rules of a folder; policies (policy*.yaml) stand beside them and are left out.
base::Result<rule::RuleSet> read_rules(const std::string& folder);

// D/operator.token: read, or made on first start (mode 0600).
base::Result<base::Secret> operator_token(const std::string& path);

// Takes D/run/agent.lock and writes our pid into it; held until the process ends.
// kConflict: another agent has it (the text names its pid).
base::Result<base::net::UniqueFd> take_lock(const std::string& path);

}  // namespace agent::app
