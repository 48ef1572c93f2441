// ConnectionSource: how many TCP connections this node's listeners have, by state and client.
//
// Only sockets of the process's own network namespace are counted, whatever the source. Local ends are
// watched: a connection counts at the port that it came to.
#pragma once

#include <vector>

#include "agent/conns/counts.h"

namespace agent::conns {

// Thread: any. Owner: app or test.
class ConnectionSource {
 public:
  virtual ~ConnectionSource() = default;
  virtual Counts counts() = 0;
  // At most `limit` for each listener, most connections first.
  virtual std::vector<ClientCount> top_clients(size_t limit) = 0;
};

}  // namespace agent::conns
