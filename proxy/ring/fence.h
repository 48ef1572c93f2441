// The fence: how a proxy that was cut off finds out before it can serve anything stale.
//
// The controller writes a record (epoch, flush sequence) into every backend. A worker reads it on
// each data connection every kFenceInterval and remembers what it read and when it *asked*. A reply
// of a backend may leave only if that backend's last record was asked for within kFenceWindow and is
// one this proxy knows, and if no backend has shown a record this proxy does not know.
//
// Why the asking time: the answer was true at some moment after it, so a record written later than
// asked + kFenceWindow cannot have been missed by more than the window. The controller waits 500 ms.
//
// Times are parameters; who sends the reads and compares at which moment is proxy/backend.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/memcache/fence_record.h"
#include "base/time/clock.h"

namespace proxy::ring {

inline constexpr base::Duration kFenceInterval = std::chrono::milliseconds(100);
inline constexpr base::Duration kFenceWindow = std::chrono::milliseconds(300);

using base::memcache::FenceRecord;

// Why a backend's replies may not leave, or that they may.
enum class Hold : uint8_t {
  kNone,       // confirmed
  kNeverRead,  // no answer on this connection yet
  kMissing,    // the backend has no record, or nonsense
  kNewer,      // some backend has a record this proxy has not been configured to
  kStale,      // the last record was asked for too long ago
};
std::string_view to_string(Hold hold);

// What one worker has read from one backend. Thread: the worker's. Owner: the link.
// Invariant: asked_ is the sending time of the read that record_ came from.
class FenceWatch {
 public:
  // One that was asked for earlier than the last says nothing: a link may read a record ahead of
  // what came before it (ConfirmationWait).
  void read(base::Instant asked, std::optional<FenceRecord> record) {
    if (state_ != State::kNever && asked < asked_) return;
    state_ = record ? State::kPresent : State::kMissing;
    asked_ = asked;
    if (record) record_ = *record;
  }
  // The connection is gone: whatever answers next may be another process.
  void reset() { state_ = State::kNever; }

  // `known`: what this proxy has been told; `seen`: the newest record of any backend.
  Hold check(base::Instant now, const FenceRecord& known, const FenceRecord& seen) const {
    if (!known.covers(seen)) return Hold::kNewer;
    if (state_ == State::kNever) return Hold::kNeverRead;
    if (state_ == State::kMissing) return Hold::kMissing;
    if (!known.covers(record_)) return Hold::kNewer;
    return now - asked_ <= kFenceWindow ? Hold::kNone : Hold::kStale;
  }
  // The last record was fine, as far as this backend goes, but asked for too long ago.
  bool is_stale(base::Instant now) const {
    return state_ == State::kPresent && now - asked_ > kFenceWindow;
  }
  // Whether waiting for replies under way cannot help: a request may be refused before it is sent.
  static bool is_settled(Hold hold) { return hold == Hold::kMissing || hold == Hold::kNewer; }

 private:
  enum class State : uint8_t { kNever, kMissing, kPresent };
  State state_ = State::kNever;
  base::Instant asked_;
  FenceRecord record_;
};

}  // namespace proxy::ring
