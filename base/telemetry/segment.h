// The telemetry segment: a shared-memory file that a proxy writes and anybody may read.
//
// Idea: telemetry must cost the proxy nothing and must be readable when the proxy is stuck, so it
// is plain memory, written with relaxed stores by exactly one writer per block and read by others
// whenever they like. No system call, no lock, no question asked (invariant 4 of the design).
//
// Layout: one SegmentHeader, then `workers` WorkerBlocks. All counters only grow, except gauges
// (named so). A WorkerBlock carries a sequence number, odd while its worker is inside an event-loop
// turn that changes it; a reader copies and retries while it is odd or has changed, and after a few
// tries takes what is there and marks the copy torn (a stopped worker must not blind us).
//
// Versions: a reader accepts kSegmentVersion and the version before (1 is the first). Fields are
// only appended.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/time/clock.h"

namespace base::telemetry {

inline constexpr uint64_t kSegmentMagic = 0x314d4c5447434dULL;  // "MCGTLM1"
inline constexpr uint32_t kSegmentVersion = 1;
inline constexpr uint32_t kMaxBackends = 64;
inline constexpr uint32_t kMaxWorkers = 64;

// Client requests by kind; labels of mcguard_proxy_requests_total.
enum class Operation : uint8_t {
  kGet,
  kSet,
  kAdd,
  kReplace,
  kAppend,
  kPrepend,
  kCas,
  kIncr,
  kDecr,
  kDelete,
  kTouch,
  kGat,
  kFlush,
  kStats,
  kVersion,
  kNoop,
  kAuth,
  kOther,
};
inline constexpr size_t kOperationCount = static_cast<size_t>(Operation::kOther) + 1;
std::string_view to_string(Operation operation);

// Why a request was not answered by a backend, or a connection ended early;
// labels of mcguard_proxy_errors_total.
enum class Failure : uint8_t {
  kBackendDown,     // no connection: answered at once
  kBackendTimeout,  // the request's deadline passed
  kBackendReset,    // the connection broke with the request in flight
  kBackendError,    // SERVER_ERROR, ERROR or nonsense from the backend
  kSlotMoving,      // a prepared epoch moves the key's slot
  kFenced,          // no fresh fence record, a newer one, or a flush that is not complete yet
  kProtocol,        // the client sent garbage
  kAuthFailed,
  kAuthTimeout,
  kNoCapability,
  kTooLarge,
  kConnectionLimit,  // refused at accept or at authentication
  kMemoryLimit,      // a client that does not read its replies
};
inline constexpr size_t kFailureCount = static_cast<size_t>(Failure::kMemoryLimit) + 1;
std::string_view to_string(Failure failure);

// What a latency histogram is about.
enum class Leg : uint8_t { kRead, kWrite, kFence };  // kFence: the worker's own record reads
inline constexpr size_t kLegCount = 3;
std::string_view to_string(Leg leg);

// Log-linear latency histogram: 32 buckets per octave (relative error <= 1.6 %) from 2^10 ns (1 µs)
// to 2^34 ns (17 s). Bucket 0 holds everything below, the last everything above.
inline constexpr int kHistogramMinBits = 10;
inline constexpr int kHistogramMaxBits = 34;
inline constexpr int kHistogramSubBits = 5;
inline constexpr size_t kHistogramBuckets =
    static_cast<size_t>(kHistogramMaxBits - kHistogramMinBits) * (1u << kHistogramSubBits) + 2;
size_t histogram_bucket(int64_t nanoseconds);
int64_t histogram_upper_bound_ns(size_t bucket);  // exclusive; INT64_MAX for the last

// A counter with one writer. Readers in other threads and processes see a recent value.
class Cell {
 public:
  void add(uint64_t n = 1) { v_.store(get() + n, std::memory_order_relaxed); }
  void sub(uint64_t n = 1) { v_.store(get() - n, std::memory_order_relaxed); }  // gauges only
  void set(uint64_t n) { v_.store(n, std::memory_order_relaxed); }
  uint64_t get() const { return v_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> v_{0};
};

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

struct BackendCells {
  Cell requests, failures, connects, connect_failures, connected;  // connected: gauge, 0 or 1
  Cell in_flight;                                                  // gauge
  Cell bytes_sent, bytes_received;
  Cell last_reply_ns;        // Instant of the last reply of any kind
  Cell fence_confirmed_ns;   // Instant at which the last confirming fence read was sent
  Cell oldest_in_flight_ns;  // Instant at which the oldest outstanding request was sent; 0: none
  std::array<std::array<Cell, kHistogramBuckets>, kLegCount> latency;
  std::array<Cell, kLegCount> latency_sum_ns;
  std::array<PaceCell, kPaceSlots> pace;
};

// One client address; a worker's table is open addressing over kClientSlots, exact until it is
// full, then the smallest idle entry is evicted and `clients_evicted` counts it.
inline constexpr size_t kClientSlots = 4096;
struct ClientCells {
  std::array<Cell, 2> address;  // IPv6, or IPv4-mapped; both zero: empty
  Cell connections;             // gauge
  Cell opened, requests, bytes;
};

// Addresses that authenticated, each at most once an hour; the reader keeps its own position.
inline constexpr size_t kNewcomerSlots = 1024;
struct NewcomerCells {
  std::array<Cell, 2> address;
  Cell cache;
  Cell at_ns;
};

struct alignas(64) WorkerBlock {
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
  std::array<Cell, kFailureCount> failures;
  std::array<BackendCells, kMaxBackends> backends;
  std::array<ClientCells, kClientSlots> clients;
  std::array<NewcomerCells, kNewcomerSlots> newcomers;
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
  WorkerBlock& worker(uint32_t index);
  // The index of a backend's cells; the same name keeps its index. kExhausted past kMaxBackends.
  Result<uint32_t> backend_index(std::string_view name);

 private:
  SegmentWriter(std::string path, uint64_t inode, void* memory, size_t size);
  std::string path_;
  uint64_t inode_;  // of our file: a successor's under the same name is not ours to remove
  void* memory_;
  size_t size_;
  SegmentHeader* header_;
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

// One reply: histogram and sum of its leg, and the pace slot of `now`, in which all legs count (the
// fence reads show the network of a backend that no client uses). Thread: the block's worker.
void record_latency(BackendCells& cells, Leg leg, Duration latency, Instant now);

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
  const WorkerBlock& worker(uint32_t index) const;
  // Calls `copy(block)` until it ran on an unchanging block (at most `tries` times); false: torn.
  template <class Copy>
  bool consistent(uint32_t index, Copy copy, int tries = 4) const {
    const WorkerBlock& block = worker(index);
    for (int i = 0; i < tries; ++i) {
      const uint64_t before = block.sequence.get();
      std::atomic_thread_fence(std::memory_order_acquire);
      copy(block);
      std::atomic_thread_fence(std::memory_order_acquire);
      if ((before & 1) == 0 && block.sequence.get() == before) return true;
    }
    return false;
  }

 private:
  SegmentReader(const void* memory, size_t size);
  const void* memory_;
  size_t size_;
  const SegmentHeader* header_;
  uint32_t workers_;  // as checked at open
};

}  // namespace base::telemetry
