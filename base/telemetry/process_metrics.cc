#include "base/telemetry/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "base/telemetry/exposition.h"

namespace base::telemetry {
namespace {

using prometheus::MetricType;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<double> resident_bytes() {
  const File file(std::fopen("/proc/self/statm", "re"));
  long pages = 0;
  if (!file || std::fscanf(file.get(), "%*d %ld", &pages) != 1) return std::nullopt;
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

std::optional<double> open_descriptors() {
  // Since Linux 6.2 the folder's size is the number of descriptors.
  struct stat about {};
  if (::stat("/proc/self/fd", &about) == 0 && about.st_size > 0) {
    return static_cast<double>(about.st_size);
  }
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir("/proc/self/fd"));
  if (!folder) return std::nullopt;
  int count = 0;
  while (const dirent* entry = ::readdir(folder.get())) count += entry->d_name[0] != '.' ? 1 : 0;
  return count - 1;  // one is this look
}

std::optional<double> most_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

// Seconds of civil time. The kernel counts in ticks since the machine came up.
std::optional<double> started_at() {
  const File stat(std::fopen("/proc/self/stat", "re"));
  unsigned long long ticks = 0;
  // The second field may hold blanks, but not our own name's closing parenthesis.
  constexpr const char* kFields =
      "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
      "%llu";
  if (!stat || std::fscanf(stat.get(), kFields, &ticks) != 1) return std::nullopt;
  const File machine(std::fopen("/proc/stat", "re"));
  char line[256];
  unsigned long long up_since = 0;
  while (machine && std::fgets(line, sizeof line, machine.get()) != nullptr) {
    if (std::sscanf(line, "btime %llu", &up_since) == 1) break;
  }
  if (up_since == 0) return std::nullopt;
  return static_cast<double>(up_since) +
         static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

std::vector<prometheus::MetricFamily> process_families() {
  std::vector<prometheus::MetricFamily> families;
  const auto add = [&](const char* name, const char* help, MetricType type,
                       std::optional<double> value) {
    if (!value) return;
    FamilyBuilder builder(name, help, type);
    builder.add({}, *value);
    families.push_back(builder.build());
  };
  add("process_cpu_seconds_total", "Processor time used, in user and kernel mode.",
      MetricType::Counter, cpu_seconds());
  add("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge, resident_bytes());
  add("process_open_fds", "Open descriptors.", MetricType::Gauge, open_descriptors());
  add("process_max_fds", "Descriptors that may be open.", MetricType::Gauge, most_descriptors());
  add("process_start_time_seconds", "When the process started, in seconds of civil time.",
      MetricType::Gauge, started_at());
  return families;
}

}  // namespace base::telemetry
