// FakeConnections: a source of connection counts that a test fills in.
#pragma once

#include <vector>

#include "agent/conns/source.h"

namespace test {

class FakeConnections final : public agent::conns::ConnectionSource {
 public:
  agent::conns::Counts counts() override { return now; }
  std::vector<agent::conns::ClientCount> top_clients(size_t) override { return clients; }

  agent::conns::Counts now;
  std::vector<agent::conns::ClientCount> clients;
};

}  // namespace test
