// How much CPU a process has used, to the nanosecond: what a request costs is the difference over
// many of them. Read from /proc/<pid>/task/*/schedstat, which unlike /proc/<pid>/stat does not count
// in ticks of 10 ms.
#pragma once

#include <sys/types.h>

#include "base/core/result.h"
#include "base/time/clock.h"

namespace cli {

// kNotFound when there is no such process.
base::Result<base::Duration> process_cpu(pid_t pid);

}  // namespace cli
