#include "base/memcache/buffer.h"

#include <algorithm>

namespace base::memcache {

void Buffer::make_room(size_t bytes) {
  const size_t used = end_ - begin_;
  // Moving is only worth it when it frees at least as much as is moved; otherwise a reader that
  // keeps a little behind would make every reserve copy.
  if (used + bytes <= capacity_ && begin_ >= used) {
    if (used > 0) std::memmove(memory_.get(), memory_.get() + begin_, used);
  } else {
    const size_t capacity = std::max({size_t{128}, used + bytes, capacity_ * 2});
    std::unique_ptr<char[]> memory(new char[capacity]);  // not make_unique: it would zero the bytes
    if (used > 0) std::memcpy(memory.get(), memory_.get() + begin_, used);
    memory_ = std::move(memory);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = used;
}

}  // namespace base::memcache
