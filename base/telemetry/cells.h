// What the telemetry segment is made of: single-writer cells, and the words for what is counted.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time/clock.h"

namespace base::telemetry {

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
  kQueueFull,        // as many requests or bytes wait for the backend as may
  kOverload,         // every request waits too long for the backend: the newest are turned away
  kMemoryShort,      // as many bytes are in flight for its credential, or in all, as may
  kRequestLimit,     // as many requests are in flight for its credential, or in all, as may
  kConnectionRate,   // too many new connections a second
  kStrangerLimit,    // as many wait to be served, or to say who they are, as may
  kDescriptors,      // the process has no descriptor left
  kClientVanished,   // its host no longer answers, or it has read nothing for too long
  kProxyHeader,      // a balancer's PROXY header was malformed, or did not come
};
inline constexpr size_t kFailureCount = static_cast<size_t>(Failure::kProxyHeader) + 1;
std::string_view to_string(Failure failure);

// What a request does to a backend: the label of its latencies.
enum class Leg : uint8_t { kRead, kWrite, kFence };  // kFence: the worker's own record reads
inline constexpr size_t kLegCount = 3;
std::string_view to_string(Leg leg);

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

}  // namespace base::telemetry
