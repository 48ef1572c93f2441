// ClientTelemetry: which client addresses are busy, in the worker's telemetry block.
//
// Two tables of the segment are kept here: the clients (open addressing, exact until a neighbourhood
// is full, then the quietest idle entry makes room and is counted as evicted) and the newcomers (each
// authenticated address at most once an hour). Both cost O(1) and never allocate.
#pragma once

#include <array>
#include <cstdint>

#include "base/core/slots.h"
#include "base/telemetry/segment.h"
#include "base/time/clock.h"
#include "proxy/admission/connection_counts.h"

namespace proxy {

// Thread: the worker's. Owner: the worker. Invariant: an entry with connections keeps its place.
class ClientTelemetry {
 public:
  explicit ClientTelemetry(base::telemetry::WorkerBlock& cells) : cells_(cells) {}

  // A connection is here; the index of its address's entry, -1 if there is no room.
  int32_t enter(const admission::ClientAddress& address);
  // It was opened here, not taken over.
  void opened(int32_t index) {
    if (index >= 0) cells_.clients[size_t(index)].opened.add();
  }
  void leave(int32_t index);
  void add_request(int32_t index) {
    if (index >= 0) cells_.clients[size_t(index)].requests.add();
  }
  void add_bytes(int32_t index, uint64_t bytes) {
    if (index >= 0) cells_.clients[size_t(index)].bytes.add(bytes);
  }
  void authenticated(const admission::ClientAddress& address, base::CacheId cache,
                     base::Instant now);

 private:
  static constexpr size_t kNeighbourhood = 16;
  static constexpr size_t kRemembered = 4096;
  struct Seen {
    admission::ClientAddress address{};
    int64_t at_ns = 0;
  };

  base::telemetry::WorkerBlock& cells_;
  std::array<Seen, kRemembered> seen_{};  // direct-mapped: a collision only repeats a newcomer
};

}  // namespace proxy
