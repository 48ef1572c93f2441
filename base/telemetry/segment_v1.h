// Version 1 of the telemetry segment, as the proxies of the release before this one write it. To be
// deleted with the next release, together with the places in segment.cc that name v1.
//
// An agent that was just upgraded stands beside such proxies until they are replaced, one by one, and has
// to see them alive and serving. The header is today's; the blocks have other sizes, since there were
// fewer failures and since each backend had its histograms in place. They are read where they lie:
// heartbeats, counters, link pace, clients and newcomers are exact.
//
// What is lost: operations are not told apart in the latencies, so that all reads show as get and all
// writes as set; buckets were 32 per octave, each folded into the two that today lie in its place,
// half of its count in each, so a quantile is within 2.4 % instead of 0.8 %; what took 17.2 s and more
// shows as 17.2 s. There are no details (busy keys, slow requests), no counts of connections that went from
// one process to another, and none of the failures that came later.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/telemetry/segment.h"

namespace base::telemetry::v1 {

inline constexpr size_t kFailureCount = 13;  // the first of today's
inline constexpr int kMinBits = 10, kMaxBits = 34, kSubBits = 5;
inline constexpr size_t kBuckets = (size_t{kMaxBits - kMinBits} << kSubBits) + 2;

struct BackendCells : BackendCounters {
  std::array<std::array<Cell, kBuckets>, kLegCount> latency;
  std::array<Cell, kLegCount> latency_sum_ns;
  std::array<PaceCell, kPaceSlots> pace;
};

struct alignas(64) WorkerBlock : WorkerCounters {
  std::array<Cell, kFailureCount> failures;
  std::array<BackendCells, kMaxBackends> backends;
  std::array<ClientCells, kClientSlots> clients;
  std::array<NewcomerCells, kNewcomerSlots> newcomers;
};

size_t segment_size(uint32_t workers);
// `memory` is a whole segment.
const WorkerBlock& worker_in(const void* memory, uint32_t index);
void add_latencies(const BackendCells& cells, LatencyKind kind, Histogram& to);
const DetailBlock& no_details();

}  // namespace base::telemetry::v1
