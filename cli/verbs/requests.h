// What acts send: options of the command line to JSON bodies. Pure functions, so that the bodies are
// pinned by tests against the API's contract.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"

namespace cli {

// "proxy=amber-proxy-1" pairs; numbers and true/false as such. kInvalid without a "=".
base::Result<boost::json::object> parse_params(const std::vector<std::string>& pairs);

struct LinkFault {
  std::string kind, cluster, proxy, backend, id, share, delay;
};
base::Result<boost::json::object> fault_body(const LinkFault& fault);

struct FlushTarget {
  std::string cache, backend, cluster;  // exactly one
};
// "cache/12"; kInvalid unless exactly one is named.
base::Result<std::string> flush_target(const FlushTarget& target);

// "write,flush" to {write: true, flush: true, api: false}; "none" is none.
base::Result<boost::json::object> capabilities_body(const std::string& names);

}  // namespace cli
