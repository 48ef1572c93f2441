// ReplyQueue: replies leave a client's connection in the order of its requests, whatever order the
// backends answer in.
//
// Idea: each request takes a ticket. The reply whose ticket is the oldest is written straight into
// the connection's output; others wait in buffers from a pool that the worker's connections share.
// finish() then moves the longest filled prefix to the output.
//
// A text get of several keys is a group: one ticket per key and a last one for END. When one key
// fails with an error, what follows of the group is dropped, so that the client reads the values so
// far and then one SERVER_ERROR line.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/memcache/buffer.h"

namespace proxy::route {

// Spare buffers of one worker. Bounded in number and in the size of each. Thread: the worker's.
class BufferPool {
 public:
  base::memcache::Buffer take();
  void give(base::memcache::Buffer buffer);

 private:
  static constexpr size_t kMostSpares = 1024;
  static constexpr size_t kLargestSpare = 16 * 1024;
  std::vector<base::memcache::Buffer> spares_;
};

using Ticket = uint64_t;

// Thread: the worker's. Owner: the connection. Invariant: the head ticket, if any, is not finished
// (or its reply would have left).
class ReplyQueue {
 public:
  enum class Place : uint8_t { kAlone, kInGroup, kEndsGroup };

  explicit ReplyQueue(BufferPool& pool) : pool_(&pool) {}
  ReplyQueue(const ReplyQueue&) = delete;
  ReplyQueue& operator=(const ReplyQueue&) = delete;
  ~ReplyQueue();

  Ticket open(Place place = Place::kAlone);
  // Where to write the reply of `ticket`: `out` itself, or a waiting buffer. Write, then finish().
  base::memcache::Buffer& target(Ticket ticket, base::memcache::Buffer& out);
  void finish(Ticket ticket, base::memcache::Buffer& out) { close(ticket, out, false); }
  // As finish, and drops what follows in the ticket's group.
  void fail_group(Ticket ticket, base::memcache::Buffer& out) { close(ticket, out, true); }

  size_t outstanding() const { return waiting_.size() - first_; }
  bool empty() const { return outstanding() == 0; }
  // Whether the reply of `ticket` has gone into the output.
  bool has_left(Ticket ticket) const { return ticket < head_; }
  // What the next open() will give.
  Ticket next() const { return head_ + outstanding(); }
  // Whether an error has been the answer to the group that began with `first` and has not ended.
  bool has_group_failed(Ticket first) const { return skipping_ && has_left(first); }
  // Bytes of finished replies that wait for an older one.
  size_t held_bytes() const { return held_bytes_; }

 private:
  struct Waiting {
    base::memcache::Buffer text;
    Place place = Place::kAlone;
    bool finished = false;
    bool fails_group = false;
  };

  static constexpr size_t kKeptCapacity = 16;  // connections are many and mostly idle

  Waiting& at(Ticket ticket);
  void close(Ticket ticket, base::memcache::Buffer& out, bool fails_group);
  void pop_head();
  void compact();

  BufferPool* pool_;
  std::vector<Waiting> waiting_;  // [first_, end): open tickets from head_ on
  size_t first_ = 0;
  Ticket head_ = 0;
  size_t held_bytes_ = 0;
  bool skipping_ = false;  // until the end of the head's group
};

}  // namespace proxy::route
