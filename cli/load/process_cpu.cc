#include "cli/load/process_cpu.h"

#include <filesystem>
#include <fstream>
#include <string>

namespace cli {

base::Result<base::Duration> process_cpu(pid_t pid) {
  namespace fs = std::filesystem;
  const fs::path tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code failed;
  base::Duration sum{0};
  bool found = false;
  for (fs::directory_iterator task(tasks, failed), end; !failed && task != end;
       task.increment(failed)) {
    std::ifstream file(task->path() / "schedstat");
    int64_t on_cpu_ns = 0;
    if (!(file >> on_cpu_ns)) continue;  // the thread has just ended
    sum += base::Duration(on_cpu_ns);
    found = true;
  }
  if (!found) {
    return base::Error(base::ErrorCode::kNotFound,
                       "no process " + std::to_string(pid) + ", or this kernel has no schedstat");
  }
  return sum;
}

}  // namespace cli
