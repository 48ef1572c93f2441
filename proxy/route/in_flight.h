// InFlight: the requests that wait on one backend connection, oldest first.
//
// memcached answers a connection's requests in order, so matching replies is a queue. Idea: entries
// are plain values in a ring that is reused, and the client keys, which replies must show again, lie
// in a byte queue beside it in the same order, each followed by the flags of a meta get, which a miss
// of the proxy's own must show again. A request costs two or three copies and no allocation.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/core/check.h"
#include "base/core/slots.h"
#include "base/memcache/buffer.h"
#include "base/memcache/request.h"
#include "base/telemetry/segment.h"

namespace proxy::route {

inline constexpr uint32_t kNobody = 0xffffffff;  // the client of a request whose reply nobody reads

// What a meta command's flags make of it, where that is another thing than its verb says.
enum class Effect : uint8_t {
  kPlain,
  kTouches,  // T of mg and ma, I with T of md: the item stays and gets `exptime`
  kAppends,  // MA and MP of ms
  kKeeps,    // I of md: the item stays, as a stale one
};

// One request under way, with what is needed to answer it and to judge whether its answer may still
// be given: the cache's generation and the slot's since at the time it was sent.
struct Pending {
  uint64_t ticket = 0;  // in the client's ReplyQueue
  int64_t sent_ns = 0;
  int64_t flushed_ns = 0;  // on the last request of those that one flush took to the kernel: when
  uint32_t client = kNobody;  // with client_serial: a connection of this worker
  uint32_t client_serial = 0;
  uint32_t world = 0;  // number of the worker's snapshot at sending; unchanged: nothing to judge
  base::CacheId cache = 0;
  base::Generation generation = 0;
  base::Epoch since = 0;
  uint32_t opaque = 0;
  uint32_t value_size = 0;  // of what it stores
  int32_t exptime = 0;      // as the client sent it
  base::Slot slot = 0;
  base::memcache::Command command = base::memcache::Command::kGet;
  base::memcache::Protocol protocol = base::memcache::Protocol::kAscii;
  base::telemetry::Leg leg = base::telemetry::Leg::kRead;
  uint8_t opcode = 0;
  uint8_t key_size = 0;
  uint16_t flags_size = 0;
  Effect effect = Effect::kPlain;
  bool quiet = false;
  bool with_cas = false;
  bool with_key = false;
  bool binary_key = false;  // a meta command with a base64 key
  bool in_group = false;    // one key of a get of several
  bool answered = false;    // the client has its answer: discard the reply
};

// Thread: the worker's. Owner: the link. Invariant: keys_ holds keys and flags of all entries, in order.
class InFlight {
 public:
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  Pending& front() { return at(0); }
  const Pending& nth(size_t i) {  // from the oldest
    CHECK(i < count_);
    return at(i);
  }
  std::string_view front_key() const { return keys_.view().substr(0, entries_[head_].key_size); }
  std::string_view front_flags() const {
    return keys_.view().substr(entries_[head_].key_size, entries_[head_].flags_size);
  }

  void push(const Pending& pending, std::string_view key, std::string_view flags = {}) {
    CHECK(key.size() <= 255 && flags.size() <= 65535);
    if (count_ == capacity_) grow();
    Pending& entry = at(count_);
    entry = pending;
    entry.key_size = static_cast<uint8_t>(key.size());
    entry.flags_size = static_cast<uint16_t>(flags.size());
    keys_.append(key);
    if (!flags.empty()) keys_.append(flags);
    ++count_;
  }
  // Everything here has been given to the kernel. Costs one store however many there are.
  void mark_flushed(int64_t now_ns) {
    if (count_ > 0 && at(count_ - 1).flushed_ns == 0) at(count_ - 1).flushed_ns = now_ns;
  }
  // When that was for the oldest, 0 if it was not. Walks; for the few that are looked at.
  int64_t front_flushed_ns() {
    for (size_t i = 0; i < count_; ++i) {
      if (at(i).flushed_ns != 0) return at(i).flushed_ns;
    }
    return 0;
  }
  void pop() {
    CHECK(count_ > 0);
    keys_.consume(size_t{entries_[head_].key_size} + entries_[head_].flags_size);
    head_ = (head_ + 1) & (capacity_ - 1);
    if (--count_ == 0 && capacity_ > kKeptCapacity) shrink();
  }

  // visit(Pending&, key, flags) for each, oldest first.
  template <class Visit>
  void for_each(Visit visit) {
    size_t offset = 0;
    for (size_t i = 0; i < count_; ++i) {
      Pending& entry = at(i);
      visit(entry, keys_.view().substr(offset, entry.key_size),
            keys_.view().substr(offset + entry.key_size, entry.flags_size));
      offset += size_t{entry.key_size} + entry.flags_size;
    }
  }

 private:
  static constexpr size_t kKeptCapacity = 4096;  // after a burst the rest is given back

  Pending& at(size_t i) { return entries_[(head_ + i) & (capacity_ - 1)]; }
  void grow();
  void shrink();

  std::unique_ptr<Pending[]> entries_;
  size_t capacity_ = 0;  // a power of two
  size_t head_ = 0;
  size_t count_ = 0;
  base::memcache::Buffer keys_;
};

}  // namespace proxy::route
