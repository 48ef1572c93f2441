#include "base/core/rng.h"

#include <sys/random.h>

#include <cerrno>

#include "base/core/check.h"
#include "base/core/text.h"

namespace base {

void fill_random(void* bytes, size_t size) {
  auto* at = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t got = ::getrandom(at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0);
    at += got;
    size -= static_cast<size_t>(got);
  }
}

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  fill_random(bytes.data(), bytes.size());
  return bytes;
}

std::string random_hex(size_t count) {
  return hex_encode(random_bytes(count));
}

uint64_t random_u64() {
  uint64_t number = 0;
  fill_random(&number, sizeof number);
  return number;
}

}  // namespace base
