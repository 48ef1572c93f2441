// The part of a runbook's page (docs/runbooks/<name>.md) that follows from the files: what calls it, what it
// takes, what must hold, what it does. The rest of the page is a person's.
#pragma once

#include <string>

#include "agent/runbook/policy.h"
#include "agent/runbook/runbook.h"

namespace agent::runbook {

// Markdown, between a line that says how it is made and one that ends it.
std::string page_of(const Runbook& book, const Policy& policy, const ActionRegistry& actions);

}  // namespace agent::runbook
