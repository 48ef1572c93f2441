#include "cli/replay/replay.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/net/fd.h"
#include "base/time/clock.h"
#include "cli/client/exit_status.h"
#include "cli/replay/recording_replay.h"
#include "cli/replay/rule_files.h"

namespace cli {
namespace {

using namespace std::chrono_literals;
using agent::score::Reason;

// Files smaller than this are done before anybody looks.
constexpr uint64_t kWorthProgress = uint64_t{32} << 20;
constexpr base::Duration kProgressEvery = 500ms;

// Writes what is buffered before it waits for more, so that a slow pipe is answered at once.
class FlushingSource final : public ByteSource {
 public:
  FlushingSource(ByteSource& source, RowWriter& writer) : source_(source), writer_(writer) {}
  base::Result<size_t> read(char* into, size_t most) override {
    if (auto flushed = writer_.flush(); !flushed) return flushed.error();
    return source_.read(into, most);
  }

 private:
  ByteSource& source_;
  RowWriter& writer_;
};

// A line on a terminal's stderr that is written over; silent elsewhere.
class Progress {
 public:
  explicit Progress(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
      size_ = static_cast<uint64_t>(about.st_size);
    }
    shown_ = size_ >= kWorthProgress && ::isatty(STDERR_FILENO) == 1;
    next_ = clock_.now() + kProgressEvery;
  }
  ~Progress() {
    if (written_) std::fprintf(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(uint64_t bytes) {
    if (!shown_ || clock_.now() < next_) return;
    next_ = clock_.now() + kProgressEvery;
    written_ = true;
    const double part = 100.0 * static_cast<double>(bytes) / static_cast<double>(size_);
    std::fprintf(stderr, "\r%3.0f %% of %llu MiB", part,
                 static_cast<unsigned long long>(size_ >> 20));
  }

 private:
  base::SystemClock clock_;
  uint64_t size_ = 0;
  bool shown_ = false, written_ = false;
  base::Instant next_;
};

int fail(const base::Error& error) {
  // Who closes the pipe has seen enough.
  if (error.code == base::ErrorCode::kUnavailable) return kDone;
  std::fprintf(stderr, "mcguard: %s\n", error.context.c_str());
  return exit_status_of(error);
}

int usage(const std::string& text) {
  std::fprintf(stderr, "mcguard: %s\n", text.c_str());
  return kUsage;
}

int tell(const SeriesCount& count) {
  if (count.bad == 0) return kDone;
  std::fprintf(stderr, "mcguard: left out %llu bad rows of %llu; the first: %s\n",
               static_cast<unsigned long long>(count.bad),
               static_cast<unsigned long long>(count.bad + count.rows), count.first_bad.c_str());
  return kDone;
}

bool find_question(const std::string& name, Reason& found) {
  for (const Reason reason :
       {Reason::kStep, Reason::kRest, Reason::kSpread, Reason::kFlat, Reason::kAbsent}) {
    if (name != to_string(reason)) continue;
    found = reason;
    return true;
  }
  return name.empty();
}

// What was read to see what it is, and then the rest.
class PeekedSource final : public ByteSource {
 public:
  explicit PeekedSource(ByteSource& source) : source_(source) {}
  // At least eight bytes, or all there are.
  base::Result<std::string_view> peek() {
    while (begin_.size() < agent::series::kRecordingMagic.size()) {
      char bytes[4096];
      auto count = source_.read(bytes, sizeof bytes);
      if (!count) return count.error();
      if (*count == 0) break;
      begin_.append(bytes, *count);
    }
    return std::string_view(begin_);
  }
  base::Result<size_t> read(char* into, size_t most) override {
    if (taken_ == begin_.size()) return source_.read(into, most);
    const size_t count = std::min(most, begin_.size() - taken_);
    std::memcpy(into, begin_.data() + taken_, count);
    taken_ += count;
    return count;
  }

 private:
  ByteSource& source_;
  std::string begin_;
  size_t taken_ = 0;
};

int replay_series(const ReplayOptions& options, ByteSource& bytes, const std::string& name,
                  int fd) {
  SeriesOptions series = options.series;
  if (!find_question(options.rule, series.only)) {
    return usage("--rule " + options.rule +
                 ": expected step, rest, spread, flat or absent for a series");
  }
  const RowFormat format = options.output == "json" ? RowFormat::kJson : RowFormat::kCsv;
  RowWriter writer(STDOUT_FILENO, format, options.with_reason);
  FlushingSource source(bytes, writer);
  CsvReader reader(source, name);
  Progress progress(fd);
  SeriesReplay replay(reader, writer, series, [&progress](uint64_t count) { progress.at(count); });
  auto count = replay.run();
  if (count) return tell(*count);
  // What was scored before the bad row is still true.
  if (auto flushed = writer.flush(); !flushed) return fail(flushed.error());
  return fail(count.error());
}

int replay_recording(const ReplayOptions& options, ByteSource& bytes) {
  auto rules = read_rules(options.rules_dir);
  if (!rules) return fail(rules.error());
  const auto names = agent::rule::rule_names(*rules);
  const bool is_known = std::find(names.begin(), names.end(), options.rule) != names.end();
  if (!options.rule.empty() && !is_known) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    return usage("--rule " + options.rule + ": expected one of " + list + " for a recording");
  }
  const RowFormat format = options.output == "json" ? RowFormat::kJson : RowFormat::kCsv;
  RecordingReplay replay(*std::move(rules), options.rule, format, stdout);
  auto count = replay.run(bytes);
  if (!count) return fail(count.error());
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  if (!count->problem.empty()) std::fprintf(stderr, "mcguard: %s\n", count->problem.c_str());
  if (count->damaged > 0) {
    std::fprintf(stderr, "mcguard: left out %llu bytes that are torn or damaged\n",
                 number(count->damaged));
  }
  if (count->dropped > 0) {
    std::fprintf(stderr, "mcguard: the agent could not record %llu events\n",
                 number(count->dropped));
  }
  std::fprintf(stderr, "%llu samples, %llu verdicts began or ended\n", number(count->samples),
               number(count->verdicts));
  return kDone;
}

}  // namespace

int run_replay(const ReplayOptions& options) {
  const bool is_stdin = options.file == "-";
  base::net::UniqueFd opened;
  if (!is_stdin) {
    opened = base::net::UniqueFd(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.valid()) {
      const auto code = errno == ENOENT ? base::ErrorCode::kNotFound : base::ErrorCode::kIo;
      return fail({code, "cannot open " + options.file + ": " + std::strerror(errno)});
    }
  }
  const int fd = is_stdin ? STDIN_FILENO : opened.get();
  const std::string name = is_stdin ? "stdin" : options.file;
  DescriptorSource descriptor(fd, name);
  PeekedSource source(descriptor);
  auto begin = source.peek();
  if (!begin) return fail(begin.error());
  const auto recording = agent::series::check_recording(*begin);
  if (recording) return replay_recording(options, source);
  if (begin->starts_with(agent::series::kRecordingMagic.substr(0, 6))) {
    return fail({base::ErrorCode::kInvalid, name + ": " + recording.error().context});
  }
  return replay_series(options, source, name, fd);
}

}  // namespace cli
