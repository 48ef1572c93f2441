// What a name points at as JSON, in the words of the exec driver's plugins and of the file driver:
// {"records":[{"type":"A","value":"10.0.0.1"}],"ttl":30,"generation":12,"run":"run-9"}. Pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "agent/dns/dns_switch.h"
#include "base/core/result.h"

namespace agent::dns {

boost::json::array records_json(const Target& target);
boost::json::object state_json(const NameState& state);
// kInvalid: another form than the above, or values that are none. No "generation" means there is none.
base::Result<NameState> parse_state(const boost::json::value& value, const std::string& name);

}  // namespace agent::dns
