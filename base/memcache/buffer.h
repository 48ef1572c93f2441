// Buffer: a growable queue of bytes in one contiguous piece.
//
// Writers reserve room at the end, write, and commit; readers look at view() and consume from the
// front. Bytes are never initialised and seldom moved: consuming only advances a mark, and what is
// left moves to the front when room is short. One Buffer per direction of a connection, reused for
// every request, is what keeps the hot path free of allocations. It leaves out limits: whoever
// fills it knows how much may wait.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "base/core/check.h"

namespace base::memcache {

// Thread: one. Invariant: begin_ <= end_ <= capacity_.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer moved(std::move(other));
    swap(moved);
    return *this;
  }

  std::string_view view() const { return {memory_.get() + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  size_t capacity() const { return capacity_; }

  // At least `bytes` of writable memory behind the content; valid until the next non-const call.
  char* reserve(size_t bytes) {
    if (capacity_ - end_ < bytes) make_room(bytes);
    return memory_.get() + end_;
  }
  // The room behind the content that needs no further reserve.
  size_t room() const { return capacity_ - end_; }
  // Makes `bytes` of what was reserved part of the content.
  void commit(size_t bytes) {
    CHECK(bytes <= capacity_ - end_);
    end_ += bytes;
  }
  // As commit, given where writing stopped.
  void commit_to(const char* stop) { commit(static_cast<size_t>(stop - (memory_.get() + end_))); }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
    end_ += bytes.size();
  }

  void consume(size_t bytes) {
    CHECK(bytes <= size());
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() { begin_ = end_ = 0; }
  // Gives the memory of an empty buffer back, so that idle connections hold none.
  void release() {
    if (!empty()) return;
    memory_.reset();
    begin_ = end_ = capacity_ = 0;
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
  }
  void make_room(size_t bytes);

  std::unique_ptr<char[]> memory_;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
};

}  // namespace base::memcache
