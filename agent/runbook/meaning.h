// What the names in a runbook stand for: the types of references, and the values that they and the facts of
// guards may have. For lint(), which knows no region yet.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runbook/possible.h"
#include "agent/runbook/runbook.h"

namespace agent::runbook {

// Of a target of this type: ${param.<field>}. None for plain values.
const std::vector<std::string_view>& fields_of(ParamType type);
bool is_list_field(std::string_view field);

struct Meaning {
  std::vector<ParamType> types;  // empty: only the run knows
  bool is_list = false;
};
// `item`: what ${item} is; empty outside a step with `each:`.
Meaning meaning_of(const std::string& reference, const Runbook& book,
                   const std::vector<ParamType>& item);

bool fits(ParamType have, ParamType want);
// A plain value in the text of a step; whether there is a target of its name is the region's to say.
bool fits(const boost::json::value& value, ParamType want);
std::string words_for(
    const std::vector<ParamType>& types);  // "a proxy", "text", "a cache or a cluster"

// Facts are about the first target that is given; without one that has a state some are never known. Both
// keep the reference.
Domains guard_domains(const Runbook& book);
Domains reference_domains(const Runbook& book);

}  // namespace agent::runbook
