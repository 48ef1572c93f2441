#include "agent/collect/process_reader.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace agent::collect {
namespace {

constexpr base::Duration kShownEvery = std::chrono::seconds(5);

base::net::UniqueFd open_proc(const std::string& path) {
  return base::net::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string read_again(const base::net::UniqueFd& file) {
  char text[4096];
  const ssize_t size = file.valid() ? ::pread(file.get(), text, sizeof text, 0) : -1;
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

// The next number in `text`, which it is taken from.
uint64_t next_number(std::string_view& text) {
  size_t at = 0;
  while (at < text.size() && (text[at] < '0' || text[at] > '9')) ++at;
  uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data() + at, text.data() + text.size(), number);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return failed == std::errc() ? number : 0;
}

uint64_t number_after(std::string_view text, std::string_view word) {
  const size_t at = text.find(word);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + word.size());
  return next_number(text);
}

std::string_view line_of(std::string_view text, std::string_view start) {
  const size_t at = text.find(start);
  if (at == std::string_view::npos) return {};
  return text.substr(at, text.find('\n', at) - at);
}

}  // namespace

ProcessFigures parse_process_stat(std::string_view text, long ticks_per_second, long page_bytes) {
  ProcessFigures figures;
  // The name, in brackets, may hold anything; behind its last bracket field 3 begins.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return figures;
  std::string_view rest = text.substr(name_end + 1);
  uint64_t user = 0;
  uint64_t system = 0;
  size_t field = 2;
  while (!rest.empty() && field < 24) {
    const size_t from = rest.find_first_not_of(' ');
    if (from == std::string_view::npos) break;
    rest.remove_prefix(from);
    const size_t end = std::min(rest.find(' '), rest.size());
    std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    ++field;
    if (field == 14) user = next_number(word);
    if (field == 15) system = next_number(word);
    if (field == 24) figures.memory_bytes = next_number(word) * static_cast<uint64_t>(page_bytes);
  }
  figures.known = field == 24;
  figures.cpu_seconds = static_cast<double>(user + system) / static_cast<double>(ticks_per_second);
  return figures;
}

ProcessFigures ProcessReader::read(pid_t pid) {
  if (pid != pid_) {
    pid_ = pid;
    const std::string process = "/proc/" + std::to_string(pid);
    stat_ = pid == 0 ? base::net::UniqueFd() : open_proc(process + "/stat");
    folder_ = process + "/fd";
  }
  if (pid == 0) return ProcessFigures();
  ProcessFigures figures =
      parse_process_stat(read_again(stat_), ::sysconf(_SC_CLK_TCK), ::sysconf(_SC_PAGESIZE));
  if (files_ == Files::kNo) return figures;
  struct stat folder {};
  if (::stat(folder_.c_str(), &folder) == 0) {
    figures.open_files = static_cast<uint64_t>(folder.st_size);
  }
  rlimit limit{};
  if (::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0) {
    figures.open_files_limit = limit.rlim_cur;
  }
  return figures;
}

OwnReader::OwnReader() : stat_(open_proc("/proc/self/stat")), io_(open_proc("/proc/self/io")) {}

Burden OwnReader::read(base::Instant now) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds_of = [](const timeval& time) {
    return double(time.tv_sec) + double(time.tv_usec) / 1e6;
  };
  const double seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
  const uint64_t written = number_after(read_again(io_), "\nwrite_bytes:");
  Burden burden;
  burden.memory_bytes =
      parse_process_stat(read_again(stat_), ::sysconf(_SC_CLK_TCK), ::sysconf(_SC_PAGESIZE))
          .memory_bytes;
  const double passed = base::to_seconds(now - read_at_);
  if (read_at_.ns != 0 && passed > 0) {
    burden.cpu_share = (seconds - cpu_seconds_) / passed;
    burden.disk_bytes_per_second = double(written - written_bytes_) / passed;
  }
  read_at_ = now;
  cpu_seconds_ = seconds;
  written_bytes_ = written;
  return burden;
}

HostReader::HostReader()
    : stat_(open_proc("/proc/stat")),
      meminfo_(open_proc("/proc/meminfo")),
      loadavg_(open_proc("/proc/loadavg")),
      sockstat_(open_proc("/proc/net/sockstat")) {}

void HostReader::read_what_is_shown() {
  shown_.load_1m = std::strtod(read_again(loadavg_).c_str(), nullptr);
  const std::string sockets = read_again(sockstat_);
  const std::string_view tcp = line_of(sockets, "TCP:");
  shown_.tcp_connections = number_after(tcp, "inuse");
  shown_.tcp_time_wait = number_after(tcp, " tw");
}

HostFigures HostReader::read(base::Instant now) {
  if (now >= show_again_) {
    show_again_ = now + kShownEvery;
    read_what_is_shown();
  }
  HostFigures figures = shown_;
  const std::string cpu = read_again(stat_);
  std::string_view line = line_of(cpu, "cpu ");
  uint64_t total = 0;
  uint64_t idle = 0;
  for (int i = 0; i < 8 && !line.empty(); ++i) {  // user nice system idle iowait irq softirq steal
    const uint64_t ticks = next_number(line);
    total += ticks;
    if (i == 3 || i == 4) idle += ticks;
  }
  const uint64_t busy = total - idle;
  if (total_ != 0 && total > total_) {
    figures.cpu_busy_share =
        static_cast<double>(busy - busy_) / static_cast<double>(total - total_);
  }
  busy_ = busy;
  total_ = total;
  const std::string memory = read_again(meminfo_);
  figures.memory_total_bytes = number_after(memory, "MemTotal:") << 10;
  figures.memory_available_bytes = number_after(memory, "MemAvailable:") << 10;
  return figures;
}

}  // namespace agent::collect
