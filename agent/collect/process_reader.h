// ProcessReader and HostReader: processes and the host from /proc, with files kept open (one pread each,
// 2 to 10 µs). Never a walk over /proc/<pid>/fd: the number of open files is the size of that folder.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/collect/brown_out.h"
#include "agent/collect/snapshot.h"
#include "base/net/fd.h"

namespace agent::collect {

struct ProcessFigures {
  bool known = false;
  double cpu_seconds = 0;
  uint64_t memory_bytes = 0;  // resident
  uint64_t open_files = 0;    // 0 when the kernel does not say (before 6.2)
  uint64_t open_files_limit = 0;
};
// The text of /proc/<pid>/stat.
ProcessFigures parse_process_stat(std::string_view text, long ticks_per_second, long page_bytes);

// Thread: the control thread's. Owner: Collector.
class ProcessReader {
 public:
  // Whether its open files and their limit are read as well: that takes two more calls.
  enum class Files { kNo, kYes };
  explicit ProcessReader(Files files) : files_(files) {}
  // Follows a new pid; 0: none.
  ProcessFigures read(pid_t pid);

 private:
  const Files files_;
  pid_t pid_ = 0;
  std::string folder_;  // of its open files
  base::net::UniqueFd stat_;
};

// Thread: the control thread's. Owner: Collector.
class HostReader {
 public:
  HostReader();
  // What calls for a brown-out is new each time; the load and the sockets, which are only shown, are at
  // most 5 s old.
  HostFigures read(base::Instant now);

 private:
  void read_what_is_shown();

  base::net::UniqueFd stat_, meminfo_, loadavg_, sockstat_;
  uint64_t busy_ = 0, total_ = 0;  // ticks at the last read
  HostFigures shown_;
  base::Instant show_again_;
};

// What the agent's own process takes, from getrusage(2) and /proc/self. The CPU time of /proc/self/stat
// comes in ticks of 10 ms, too coarse for a budget of 1 % of a core.
//
// Thread: the control thread's. Owner: Collector.
class OwnReader {
 public:
  OwnReader();
  // Shares and rates since the last call; the first knows none. The host's part is left at zero.
  Burden read(base::Instant now);
  double cpu_seconds() const { return cpu_seconds_; }  // at the last read

 private:
  base::net::UniqueFd stat_, io_;
  base::Instant read_at_;  // ns == 0: never
  double cpu_seconds_ = 0;
  uint64_t written_bytes_ = 0;
};

}  // namespace agent::collect
