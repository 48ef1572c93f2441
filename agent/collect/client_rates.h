// ClientRates: which client addresses a proxy works for, by what they send.
//
// A worker's telemetry counts the commands of each address, malformed ones included. Twice read, that is
// how many a second; summed over the workers, the few who send most are told. Reading costs some tens of
// microseconds per worker, and the memory of the table, so nobody does it often without a reason.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/telemetry/segment.h"
#include "base/time/clock.h"

namespace agent::collect {

// Thread: the control thread's. Owner: ProxyTelemetry. Memory: 96 KiB per worker.
class ClientRates {
 public:
  using Address = std::array<uint64_t, 2>;  // as the segment has it
  struct Client {
    Address address{};
    double commands = 0;  // a second
  };
  struct Rates {
    double seconds = 0;        // that they are about; 0: it was the first reading
    double commands = 0;       // of all clients, a second
    std::vector<Client> most;  // those who send most, at most as many as asked for
  };
  Rates read(const base::telemetry::SegmentReader& segment, base::Instant now, size_t most);
  // Another process writes from now on.
  void reset() { seen_.clear(); }

 private:
  struct Seen {
    Address address{};
    uint64_t commands = 0;
  };
  std::vector<Seen> seen_;  // by worker and slot
  base::Instant at_;
};

}  // namespace agent::collect
