// ProcessReader and HostReader: processes and the host from /proc, with files kept open (one pread each,
// 2 to 10 µs). Never a walk over /proc/<pid>/fd: the number of open files is the size of that folder.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/collect/snapshot.h"
#include "base/net/fd.h"

namespace agent::collect {

struct ProcessFigures {
  bool known = false;
  double cpu_seconds = 0;
  uint64_t memory_bytes = 0;  // resident
  uint64_t open_files = 0;    // 0 when the kernel does not say (before 6.2)
};
// The text of /proc/<pid>/stat.
ProcessFigures parse_process_stat(std::string_view text, long ticks_per_second, long page_bytes);

// Thread: the control thread's. Owner: Collector.
class ProcessReader {
 public:
  // Follows a new pid; 0: none.
  ProcessFigures read(pid_t pid);

 private:
  pid_t pid_ = 0;
  base::net::UniqueFd stat_;
};

// Thread: the control thread's. Owner: Collector.
class HostReader {
 public:
  HostReader();
  HostFigures read();

 private:
  base::net::UniqueFd stat_, meminfo_, loadavg_, sockstat_;
  uint64_t busy_ = 0, total_ = 0;  // ticks at the last read
};

}  // namespace agent::collect
