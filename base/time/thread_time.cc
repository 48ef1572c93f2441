#include "base/time/thread_time.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>

namespace base {

ThreadTime::ThreadTime(const char* file) : file_(::open(file, O_RDONLY | O_CLOEXEC)) {}

ThreadTime::~ThreadTime() {
  if (file_ >= 0) ::close(file_);
}

ThreadTime::Spent ThreadTime::spent() const {
  char text[96];
  const ssize_t size = file_ < 0 ? 0 : ::pread(file_, text, sizeof text - 1, 0);
  int64_t running = 0;
  int64_t waiting = 0;
  if (size > 0) {
    text[size] = '\0';
    if (std::sscanf(text, "%" SCNd64 " %" SCNd64, &running, &waiting) == 2 && running > 0) {
      return {Duration(running), Duration(waiting)};
    }
  }
  return {ran(), std::nullopt};
}

Duration ThreadTime::ran() {
  timespec cpu{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  return std::chrono::seconds(cpu.tv_sec) + Duration(cpu.tv_nsec);
}

}  // namespace base
