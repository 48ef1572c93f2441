// DelayQueue: the bytes of one direction of a connection on their way, some held back for a while.
//
// A byte stream cannot be reordered, so whatever comes after a held chunk waits behind it, as it
// would behind a lost packet. Pure: `now` is a parameter.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/time/clock.h"

namespace cli {

// Thread: one. Owner: a connection. Invariant: chunks are in order of arrival and of due times.
class DelayQueue {
 public:
  static constexpr size_t kMaxBytes = 1u << 20;  // a reader stops reading when this is reached

  void push(std::string bytes, base::Instant due);
  bool empty() const { return chunks_.empty(); }
  bool full() const { return bytes_ >= kMaxBytes; }
  size_t bytes() const { return bytes_; }
  // When the first chunk may leave.
  std::optional<base::Instant> due() const;
  // The first chunk's bytes if they may leave by now, else empty.
  std::string_view ready(base::Instant now) const;
  // `count` bytes of ready() have left.
  void consume(size_t count);

 private:
  struct Chunk {
    std::string bytes;
    base::Instant due;
  };
  std::deque<Chunk> chunks_;
  size_t sent_ = 0;  // of the first chunk
  size_t bytes_ = 0;
};

}  // namespace cli
