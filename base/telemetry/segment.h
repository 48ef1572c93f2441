// The telemetry segment: a shared-memory file that a proxy writes and anybody may read.
//
// Idea: telemetry must cost the proxy nothing and must be readable when the proxy is stuck, so it
// is plain memory, written with relaxed stores by exactly one writer per block and read by others
// whenever they like. No system call, no lock, no question asked (invariant 4 of the design).
//
// Layout: one SegmentHeader, then `workers` WorkerBlocks, as many DetailBlocks (detail.h), and as many
// stores of latency groups (latency.h), of which only the beginnings have pages. All counters only
// grow, except gauges (named so). A WorkerBlock carries a sequence number, odd while its worker is inside an event-loop
// turn that changes it; a reader copies and retries while it is odd or has changed, and after a few
// tries takes what is there and marks the copy torn (a stopped worker must not blind us).
//
// Versions: a reader accepts its own and the one before, so that an agent that was upgraded sees the
// proxies that are yet to be replaced. What is laid out differently in version 1 is read by
// segment_v1.h; a WorkerView hides the difference. Within a version blocks and fields are only appended;
// a field that fits where a block was padded reads as zero where it was not written.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/telemetry/cells.h"
#include "base/telemetry/detail.h"
#include "base/telemetry/latency.h"
#include "base/time/clock.h"

namespace base::telemetry {

inline constexpr uint64_t kSegmentMagic = 0x314d4c5447434dULL;  // "MCGTLM1"
inline constexpr uint32_t kSegmentVersion = 2;
inline constexpr uint32_t kOldestSegmentVersion = 1;
inline constexpr uint32_t kMaxBackends = 64;
inline constexpr uint32_t kMaxWorkers = 64;

// Requests of one 10 ms slot towards one backend, by class: at least kSlowBound, or faster. The
// mixture tells a network fault (fast and slow together) from a pause (all slow); research/anomaly.
inline constexpr Duration kSlowBound = 5ms;
inline constexpr Duration kPaceSlot = 10ms;
inline constexpr size_t kPaceSlots = 1024;  // the last 10.24 s
struct PaceCell {                           // packed: slot number, fast, slow
  // Bits 0-19 fast (saturating), 20-39 slow (saturating), 40-63 low 24 bits of the slot number
  // (CLOCK_MONOTONIC ns / 10 ms), so that one load tells which slot the counts belong to.
  Cell packed;
};
struct Pace {
  uint32_t slot = 0;  // low 24 bits
  uint32_t fast = 0;
  uint32_t slow = 0;
};
Pace unpack_pace(uint64_t packed);

// What both versions begin with.
struct BackendCounters {
  Cell requests, failures, connects, connect_failures, connected;  // connected: gauge, 0 or 1
  Cell in_flight;                                                  // gauge
  Cell bytes_sent, bytes_received;
  Cell last_reply_ns;        // Instant of the last reply of any kind
  Cell fence_confirmed_ns;   // Instant at which the last confirming fence read was sent
  Cell oldest_in_flight_ns;  // Instant at which the oldest outstanding request was sent; 0: none
};
struct BackendCells : BackendCounters {
  std::array<LatencyCells, LatencyKind::kCount> latency;
  std::array<PaceCell, kPaceSlots> pace;
};

// Of an address as cells hold it: "10.0.0.7", "2001:db8::1". Any thread.
std::string address_text(const std::array<uint64_t, 2>& address);

// One client address; a worker's table is open addressing over kClientSlots, exact until it is
// full, then the smallest idle entry is evicted and `clients_evicted` counts it.
inline constexpr size_t kClientSlots = 4096;
struct ClientCells {
  std::array<Cell, 2> address;   // IPv6, or IPv4-mapped; both zero: empty
  Cell connections;              // gauge
  Cell opened, requests, bytes;  // requests: commands, malformed ones included
};

// Addresses that authenticated, each at most once an hour; the reader keeps its own position.
inline constexpr size_t kNewcomerSlots = 1024;
struct NewcomerCells {
  std::array<Cell, 2> address;
  Cell cache;
  Cell at_ns;
};

// What both versions begin with.
struct WorkerCounters {
  Cell sequence;      // odd: being changed
  Cell heartbeat_ns;  // Instant of the last loop turn; the loop turns at least every 50 ms
  Cell connections;   // gauge: open client connections
  Cell connections_opened, connections_closed, connections_refused;
  Cell authenticated;  // gauge
  Cell bytes_read, bytes_written;
  Cell get_hits, get_misses;
  Cell clients_evicted;
  Cell newcomers_written;  // total; newcomers[i % kNewcomerSlots]
  Cell log_suppressed;
  std::array<Cell, kOperationCount> requests;
};
struct alignas(64) WorkerBlock : WorkerCounters {
  std::array<Cell, kFailureCount> failures;
  std::array<BackendCells, kMaxBackends> backends;
  std::array<ClientCells, kClientSlots> clients;
  std::array<NewcomerCells, kNewcomerSlots> newcomers;
  // Between processes of one proxy. At every moment that a reader sees whole: opened + taken over =
  // closed + handed over + connections.
  Cell connections_taken_over, connections_handed_over;

  Cell& failure(Failure failure) { return failures[static_cast<size_t>(failure)]; }
  const Cell& failure(Failure failure) const { return failures[static_cast<size_t>(failure)]; }
};

struct alignas(64) SegmentHeader {
  std::atomic<uint64_t> magic;  // written last: a reader that sees it sees a complete header
  uint32_t version = 0;
  uint32_t workers = 0;
  uint64_t size = 0;
  uint64_t generation = 0;  // differs at each start of a proxy: readers reset their deltas
  int64_t pid = 0;
  std::array<char, 64> proxy{}, cluster{};
  Cell committed_epoch, prepared_epoch, flush_sequence, config_generation, draining;
  Cell backend_count;  // names below this index are complete
  std::array<std::array<char, 48>, kMaxBackends> backend_names{};
};

// The writer's side. Thread: header methods on the admin thread; worker(i) on worker i only.
// Owner: proxy app. The file appears under its name only when complete, replacing one left by a
// predecessor (whose readers keep its last words), and is removed on destruction.
class SegmentWriter {
 public:
  static Result<std::unique_ptr<SegmentWriter>> create(const std::string& path,
                                                       std::string_view proxy,
                                                       std::string_view cluster, uint32_t workers);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  SegmentHeader& header() { return *header_; }
  // Appears under another name from now on.
  Result<> move_to(const std::string& path);
  // The file stays when this object goes: a successor will replace it.
  void leave_file() { inode_ = 0; }
  WorkerBlock& worker(uint32_t index);
  DetailBlock& detail(uint32_t index);
  LatencyWriter& latencies(uint32_t index);
  // Adds what a worker has counted so far. Thread: any.
  void add_latencies(uint32_t worker, uint32_t backend, LatencyKind kind, Histogram& to) const;
  // Counts that no room was left for, of all workers. Thread: any.
  uint64_t latencies_lost() const;
  // The index of a backend's cells; the same name keeps its index. kExhausted past kMaxBackends.
  Result<uint32_t> backend_index(std::string_view name);

 private:
  SegmentWriter(std::string path, int fd, uint64_t inode, void* memory, size_t size,
                uint32_t workers);
  const LatencyGroup* latency_store(uint32_t worker) const;
  std::string path_;
  int fd_;
  uint64_t inode_;  // of our file: a successor's under the same name is not ours to remove
  void* memory_;
  size_t size_;
  SegmentHeader* header_;
  std::vector<LatencyWriter> latencies_;  // per worker
};

// Marks one loop turn's changes to a block. Owner: the worker's loop.
class TurnGuard {
 public:
  explicit TurnGuard(WorkerBlock& block) : block_(block) { bump(); }
  ~TurnGuard() { bump(); }
  TurnGuard(const TurnGuard&) = delete;
  TurnGuard& operator=(const TurnGuard&) = delete;

 private:
  void bump() {
    std::atomic_thread_fence(std::memory_order_release);  // the turn's stores, then the number
    block_.sequence.add(1);
    std::atomic_thread_fence(std::memory_order_release);
  }
  WorkerBlock& block_;
};

// One reply: the histogram of its kind, and the pace slot of `now`, in which all kinds count (the
// fence reads show the network of a backend that no client uses). Thread: the block's worker.
void record_latency(LatencyWriter& latencies, BackendCells& cells, LatencyKind kind,
                    Duration latency, Instant now);

// Where the proxies of the region in `dir` (absolute) have their segments, as ID.seg.
std::string segment_directory(const std::string& dir);

// What a reader sees of a worker, of whichever version its segment is. A view of memory that the
// SegmentReader keeps.
struct BackendView {
  const BackendCounters& counters;
  std::span<const PaceCell, kPaceSlots> pace;
};
class WorkerView {
 public:
  template <class Block>
  explicit WorkerView(const Block& block)
      : counters(block),
        failures(block.failures),
        clients(block.clients),
        newcomers(block.newcomers),
        backends_(reinterpret_cast<const char*>(block.backends.data())),
        backend_size_(sizeof block.backends[0]),
        pace_at_(reinterpret_cast<const char*>(block.backends[0].pace.data()) - backends_) {}

  const WorkerCounters& counters;
  std::span<const Cell> failures;  // by Failure; those that the version knows
  uint64_t failure(Failure failure) const {
    const auto index = static_cast<size_t>(failure);
    return index < failures.size() ? failures[index].get() : 0;
  }
  std::span<const ClientCells, kClientSlots> clients;
  std::span<const NewcomerCells, kNewcomerSlots> newcomers;

  BackendView backend(size_t index) const {
    const char* cells = backends_ + index * backend_size_;
    return {*reinterpret_cast<const BackendCounters*>(cells),
            std::span<const PaceCell, kPaceSlots>(
                reinterpret_cast<const PaceCell*>(cells + pace_at_), kPaceSlots)};
  }

 private:
  const char* backends_;
  size_t backend_size_;
  ptrdiff_t pace_at_;
};

// The reader's side: maps a file read-only. Thread: one. A reader survives the proxy's death and
// reads its last words.
class SegmentReader {
 public:
  // kNotFound; kInvalid if the magic, version or size is wrong (the text says which).
  static Result<std::unique_ptr<SegmentReader>> open(const std::string& path);
  ~SegmentReader();
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  const SegmentHeader& header() const { return *header_; }
  uint32_t workers() const { return workers_; }
  std::vector<std::string> backend_names() const;
  // Direct view; each Cell is read atomically on its own.
  WorkerView worker(uint32_t index) const;
  // Version 1 has none: all zero.
  const DetailBlock& detail(uint32_t index) const;
  // Adds what a worker has counted so far; the counts are read one by one.
  void add_latencies(uint32_t worker, uint32_t backend, LatencyKind kind, Histogram& to) const;
  // Calls `copy(view)` until it ran on an unchanging block (at most `tries` times); false: torn.
  template <class Copy>
  bool consistent(uint32_t index, Copy copy, int tries = 4) const {
    const WorkerView view = worker(index);
    for (int i = 0; i < tries; ++i) {
      const uint64_t before = view.counters.sequence.get();
      std::atomic_thread_fence(std::memory_order_acquire);
      copy(view);
      std::atomic_thread_fence(std::memory_order_acquire);
      if ((before & 1) == 0 && view.counters.sequence.get() == before) return true;
    }
    return false;
  }

 private:
  SegmentReader(const void* memory, size_t size);
  const void* memory_;
  size_t size_;
  const SegmentHeader* header_;
  uint32_t version_;  // as checked at open
  uint32_t workers_;
};

}  // namespace base::telemetry
