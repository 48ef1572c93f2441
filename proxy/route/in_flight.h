// InFlight: the requests that wait on one backend connection, oldest first.
//
// memcached answers a connection's requests in order, so matching replies is a queue. Idea: entries
// are plain values in a ring that is reused, and the client keys, which replies must show again, lie
// in a byte queue beside it in the same order. A request costs two copies and no allocation.
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

// One request under way, with what is needed to answer it and to judge whether its answer may still
// be given: the cache's generation and the slot's since at the time it was sent.
struct Pending {
  uint64_t ticket = 0;  // in the client's ReplyQueue
  int64_t sent_ns = 0;
  uint32_t client = kNobody;  // with client_serial: a connection of this worker
  uint32_t client_serial = 0;
  uint32_t world = 0;  // number of the worker's snapshot at sending; unchanged: nothing to judge
  base::CacheId cache = 0;
  base::Generation generation = 0;
  base::Epoch since = 0;
  uint32_t opaque = 0;
  base::Slot slot = 0;
  base::memcache::Command command = base::memcache::Command::kGet;
  base::memcache::Protocol protocol = base::memcache::Protocol::kAscii;
  base::telemetry::Leg leg = base::telemetry::Leg::kRead;
  uint8_t opcode = 0;
  uint8_t key_size = 0;
  bool quiet = false;
  bool with_cas = false;
  bool with_key = false;
  bool binary_key = false;  // a meta command with a base64 key
  bool in_group = false;    // one key of a get of several
  bool answered = false;    // the client has its answer: discard the reply
};

// Thread: the worker's. Owner: the link. Invariant: keys_ holds the keys of all entries, in order.
class InFlight {
 public:
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  Pending& front() { return at(0); }
  std::string_view front_key() const { return keys_.view().substr(0, entries_[head_].key_size); }

  void push(const Pending& pending, std::string_view key) {
    CHECK(key.size() <= 255);
    if (count_ == capacity_) grow();
    Pending& entry = at(count_);
    entry = pending;
    entry.key_size = static_cast<uint8_t>(key.size());
    keys_.append(key);
    ++count_;
  }
  void pop() {
    CHECK(count_ > 0);
    keys_.consume(entries_[head_].key_size);
    head_ = (head_ + 1) & (capacity_ - 1);
    if (--count_ == 0 && capacity_ > kKeptCapacity) shrink();
  }

  // visit(Pending&, key) for each, oldest first.
  template <class Visit>
  void for_each(Visit visit) {
    size_t offset = 0;
    for (size_t i = 0; i < count_; ++i) {
      Pending& entry = at(i);
      visit(entry, keys_.view().substr(offset, entry.key_size));
      offset += entry.key_size;
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
