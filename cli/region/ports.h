// The ports that a region is going to listen on, and whether they are free.
#pragma once

#include <string>
#include <vector>

#include "base/core/result.h"
#include "cli/region/definition.h"

namespace cli {

struct PortUse {
  std::string address;
  uint16_t port = 0;
  std::string what;  // "operator API", "proxy amber-proxy-1"
};
std::vector<PortUse> ports_of(const Definition& definition);

// Binds each for an instant. One sentence about the first that is taken or not allowed.
base::Result<> check_ports(const std::vector<PortUse>& uses);

}  // namespace cli
