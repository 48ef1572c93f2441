// Whom the agent asks for echoes, and whom it answers, from the region's definition.
//
// On a game day every link of the forwarder carries echoes to this agent's own responder, which
// stands where the link's backend stands; beside that there are the peers of agent.yaml.
#pragma once

#include <string>
#include <vector>

#include "agent/coord/region.h"

namespace agent::mesh {

// The link's or, without cluster, a peer's.
struct EchoTarget {
  std::string cluster, proxy, backend;
  std::string address;
  uint16_t port = 0;

  std::string name() const;  // "<proxy>/<backend>", or "address:port" of a peer
};

std::vector<EchoTarget> echo_targets(const coord::Region& region);
// Whose questions are answered.
std::vector<std::string> echo_askers(const coord::RegionSpec& spec);

}  // namespace agent::mesh
