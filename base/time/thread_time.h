// ThreadTime: how long a thread has wanted a core: the time it ran and the time it waited to.
//
// On an overloaded machine the second part is what tells a busy thread from an idle one: it may get a
// tenth of a core and yet never rest. Source: /proc/thread-self/schedstat (Documentation/scheduler/
// sched-stats.rst: nanoseconds run, nanoseconds waited, slices). Where the kernel has no such file, or
// keeps it at zero, only the time it ran is known.
#pragma once

#include <optional>

#include "base/time/clock.h"

namespace base {

// Thread: the one that made it, and it tells of that one.
class ThreadTime {
 public:
  // `file`: of the thread's schedstat.
  explicit ThreadTime(const char* file = "/proc/thread-self/schedstat");
  ~ThreadTime();
  ThreadTime(const ThreadTime&) = delete;
  ThreadTime& operator=(const ThreadTime&) = delete;

  struct Spent {
    Duration ran{0};
    std::optional<Duration> waited;  // for a core; none: not known
    // At least.
    Duration wanted() const { return ran + waited.value_or(Duration(0)); }
  };
  // Since the thread began; one system call.
  Spent spent() const;
  // The first part of it alone, to the moment: `spent` may lag by a tick of the scheduler.
  static Duration ran();

 private:
  int file_;  // -1: none
};

}  // namespace base
